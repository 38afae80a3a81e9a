package org.gatun.bundle;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// What others make of the same shapes on this machine in this run: PyTorch, bitsandbytes, llama.cpp, as far as they are here.
final class Peers {
    private Peers() {}

    /// @param llama llama-bench and a model, or nothing
    static void run(RunRecord record, Deadline deadline, List<Path> llama) throws IOException, InterruptedException {
        Path script = Path.of(System.getProperty("gatun.bundle", "."), "peers.py");
        record(record, deadline, List.of("python3", script.toString(), String.valueOf(deadline.left().toSeconds() / 2)));
        if (!llama.isEmpty()) {
            record(record, deadline, List.of(llama.get(0).toString(), "-m", llama.get(1).toString(), "-ngl", "99", "-o", "jsonl"));
        }
    }

    /// Takes each line that is a JSON object.
    private static void record(RunRecord record, Deadline deadline, List<String> command) throws IOException, InterruptedException {
        Process process;
        try {
            process = new ProcessBuilder(new ArrayList<>(command)).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        } catch (IOException e) {
            System.out.println("peers: " + e.getMessage());
            return;
        }
        Thread killer = Thread.ofVirtual().start(() -> {
            try {
                if (!process.waitFor(Math.max(1, deadline.left().toSeconds()), TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                }
            } catch (InterruptedException _) {
                process.destroyForcibly();
            }
        });
        try (BufferedReader lines = process.inputReader()) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                System.out.println("peers: " + line);
                try {
                    JsonNode node = JsonMapper.shared().readTree(line);
                    if (node instanceof ObjectNode object) {
                        record.line("peers").setAll(object);
                        record.save();
                    }
                } catch (JacksonException _) {
                    // a line for people
                }
            }
        }
        process.waitFor();
        killer.interrupt();
    }
}
