package org.gatun.cuda.jcuda;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.gatun.cuda.ChildProcess;

/// A process that has JCuda.
final class JCudaProcess {
    private JCudaProcess() {}

    /// Gives what it printed.
    ///
    /// @param unpacked where JCuda puts its native library
    /// @param classPath which entries of this process's class path it has
    static List<String> run(Class<?> main, Path unpacked, Map<String, String> environment, Predicate<String> classPath,
            String... options) throws IOException, InterruptedException {
        List<String> all = new ArrayList<>(List.of(options));
        all.add("-Djava.io.tmpdir=" + unpacked);
        return ChildProcess.run(main, environment, classPath, all).lines();
    }

    /// With native code allowed and the whole class path.
    static List<String> run(Class<?> main, Path unpacked, Map<String, String> environment)
            throws IOException, InterruptedException {
        return run(main, unpacked, environment, _ -> true, "--enable-native-access=ALL-UNNAMED");
    }
}
