package org.gatun.backend.cuda;

import org.gatun.cuda.CudaGraph;

/// Graphs by a small number, captured when first needed and kept until they are forgotten.
final class CapturedGraphs implements AutoCloseable {
    private final CudaGraph[] graphs;

    /// @param count of numbers
    CapturedGraphs(int count) {
        graphs = new CudaGraph[count];
    }

    /// Null if it was not captured yet. Hot.
    CudaGraph get(int index) {
        return graphs[index];
    }

    /// Takes a graph, which is closed when it is forgotten. Gives it back.
    CudaGraph keep(int index, CudaGraph graph) {
        graphs[index] = graph;
        return graph;
    }

    /// Closes all, so that none knows what has moved; no pass may run.
    void forget() {
        for (int i = 0; i < graphs.length; i++) {
            if (graphs[i] != null) {
                graphs[i].close();
                graphs[i] = null;
            }
        }
    }

    @Override
    public void close() {
        forget();
    }
}
