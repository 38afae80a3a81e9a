package org.gatun.generation;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.gatun.backend.Backends;
import org.gatun.cuda.ChildProcess;
import org.gatun.cuda.TestDriver;
import org.gatun.test.TestScale;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class CloseStormTest {
    @TempDir
    Path folder;

    static Stream<String> backends() {
        return TestDriver.asked().map(Stream::of).orElseGet(() -> Backends.list().stream()
                .filter(backend -> backend.unavailable().isEmpty()).map(Backends.Availability::name));
    }

    @Tag("gpu")
    @ParameterizedTest
    @MethodSource("backends")
    void closing_anythingAtAnyTime_neitherCrashesNorHangsNorLeaks(String backend) throws Exception {
        int closes = backend.equals("simulator") ? TestScale.rounds(20, 500) : TestScale.rounds(120, 10_000);

        List<String> lines = ChildProcess.run(CloseStorm.class, Map.of(), List.of("-ea", "-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch"), backend, Integer.toString(closes),
                Long.toString(TestScale.seed()), folder.toString()).lines();

        System.out.println(backend + ": " + String.join(" ", lines));
    }
}
