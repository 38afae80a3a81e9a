package org.gatun.format;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/// Reads arbitrary bytes as each format. As part of the build this replays the files under `FormatFuzzTestInputs`; with
/// `JAZZER_FUZZ=1` in the environment, and one method chosen, it searches for bytes that fail otherwise than by a
/// [FormatException].
class FormatFuzzTest {
    @TempDir
    static Path directory;

    @FuzzTest(maxDuration = "5m")
    void gguf_anyBytes_readsOrFails(byte[] bytes) {
        try {
            GgufDamageTest.read(bytes);
        } catch (FormatException _) {
            // as it should be
        }
    }

    @FuzzTest(maxDuration = "5m")
    void safetensors_anyBytes_readsOrFails(byte[] bytes) throws IOException {
        try (SafetensorsFile file = SafetensorsFile.open(Files.write(directory.resolve("any.safetensors"), bytes))) {
            file.tensors().values().forEach(tensor -> tensor.data().mismatch(MemorySegment.ofArray(bytes)));
        } catch (FormatException _) {
            // as it should be
        }
    }

    @FuzzTest(maxDuration = "5m")
    void llama2c_anyBytes_readsOrFails(byte[] bytes) throws IOException {
        try (Llama2cCheckpoint file = Llama2cCheckpoint.open(Files.write(directory.resolve("any.bin"), bytes))) {
            file.tensors().values().forEach(tensor -> tensor.data().mismatch(MemorySegment.ofArray(bytes)));
        } catch (FormatException _) {
            // as it should be
        }
    }
}
