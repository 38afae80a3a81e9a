package org.gatun.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.gatun.format.Llama2cCheckpoint;
import org.gatun.model.convert.Llama2cConverter;
import org.gatun.tensor.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Converts a llama2.c checkpoint to GGUF.
@Command(name = "llama2c", description = "Converts a llama2.c checkpoint of 32-bit floats and its tokenizer to one GGUF file.", footer = {
        "", "Example:",
        "  gatun import llama2c --weights model.bin --tokenizer tok.bin --out a.gguf"})
final class ImportLlama2cCommand implements Callable<Integer> {
    private final Console console;

    @Option(names = "--weights", required = true, paramLabel = "FILE", description = "the checkpoint, model.bin")
    private Path weights;

    @Option(names = "--tokenizer", required = true, paramLabel = "FILE", description = "its tokenizer.bin")
    private Path tokenizer;

    @Option(names = "--out", required = true, paramLabel = "FILE", description = "GGUF file to write")
    private Path out;

    ImportLlama2cCommand(Console console) {
        this.console = console;
    }

    @Override
    public Integer call() throws IOException {
        try (Llama2cCheckpoint checkpoint = Llama2cCheckpoint.open(weights)) {
            long bytes = checkpoint.tensors().values().stream().map(Tensor::data).mapToLong(data -> data.byteSize()).sum();
            try (Progress progress = new Progress(console, "writing " + out, bytes)) {
                Llama2cConverter.write(checkpoint, tokenizer, out, progress::at);
            }
            console.note("wrote " + checkpoint.tensors().size() + " tensors to " + out);
        }
        return 0;
    }
}
