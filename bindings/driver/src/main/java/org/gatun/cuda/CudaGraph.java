package org.gatun.cuda;

/// Recorded work, ready to be launched many times by [CudaStream#launch(CudaGraph)]. Closed by whoever captured it.
///
/// It keeps addresses, not buffers: those it was captured with must be open whenever it runs.
public final class CudaGraph extends CudaResource {
    private final long nodes;

    CudaGraph(CudaContext context, long executable, long nodes) {
        super(context, executable);
        this.nodes = nodes;
    }

    /// Kernels, copies and fills in it.
    public long nodeCount() {
        return nodes;
    }

    @Override
    void release(CudaDriver driver, long executable) {
        driver.graphExecutableDestroy(executable);
    }

    @Override
    public String toString() {
        return "graph of " + nodes + " nodes";
    }
}
