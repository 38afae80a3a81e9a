package org.gatun.cuda;

import java.util.Optional;

/// The driver that tests tagged `gpu` run on: the simulator's, unless `-Dgatun.test.driver` names another, as a bundle of tests on
/// a machine with a GPU does.
public final class TestDriver {
    private static final String PROPERTY = "gatun.test.driver";
    private static final String SIMULATOR = "simulator";

    private TestDriver() {}

    /// The one asked for, if one is.
    public static Optional<String> asked() {
        return Optional.ofNullable(System.getProperty(PROPERTY));
    }

    /// Its name, also that of the backend on it.
    public static String name() {
        return asked().orElse(SIMULATOR);
    }

    /// Whether it is the simulator, which takes long for large shapes.
    public static boolean isSimulator() {
        return name().equals(SIMULATOR);
    }

    /// Opens it.
    ///
    /// @throws IllegalArgumentException if it cannot be used here
    public static CudaDriver open() {
        return CudaDrivers.open(name());
    }
}
