package org.gatun.format;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/// Real files that tests use where they are present.
final class ModelFixtures {
    private ModelFixtures() {}

    /// A file under the folder that the system property `gatun.data` names; the test is skipped if it is absent.
    static Path require(String name) {
        String folder = System.getProperty("gatun.data", "");
        assumeTrue(!folder.isEmpty(), "system property gatun.data does not name the folder that holds " + name);
        Path file = Path.of(folder).resolve(name);
        assumeTrue(Files.exists(file), "absent: " + file);
        return file;
    }
}
