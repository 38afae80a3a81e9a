package org.gatun.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.gatun.test.Dependencies;
import org.junit.jupiter.api.Test;

/// What this binding is tested with: the jars that `ci/dependencies.tsv` names, to the byte.
class DependencyTest {
    @Test
    void classPath_everyJar_isTheOneOfTheList() throws IOException {
        assertEquals(List.of(), Dependencies.read(Path.of("../../ci/dependencies.tsv")).complaints());
    }
}
