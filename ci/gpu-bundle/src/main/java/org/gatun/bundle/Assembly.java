package org.gatun.bundle;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/// Builds the bundle in Maven's `target`: a directory with a small Java runtime, the jars and `run`, and an archive of it. Uses the
/// JDK it runs on.
final class Assembly {
    /// What the jars use of the JDK.
    private static final List<String> MODULES = List.of("java.base", "java.logging", "java.management", "java.xml", "jdk.management",
            "jdk.unsupported");

    private Assembly() {}

    /// @param arguments Maven's target directory; the name of the module's jar in it
    public static void main(String[] arguments) throws IOException, InterruptedException {
        Path target = Path.of(arguments[0]);
        Path bundle = target.resolve("gatun-gpu");
        delete(bundle);
        Files.createDirectories(bundle.resolve("lib"));
        link(bundle.resolve("jre"));
        Files.copy(target.resolve(arguments[1]), bundle.resolve("lib").resolve(arguments[1]));
        try (Stream<Path> jars = Files.list(target.resolve("lib"))) {
            for (Path jar : jars.toList()) {
                move(jar, bundle.resolve("lib").resolve(jar.getFileName()));
            }
        }
        for (String file : List.of("run", "peers.py")) {
            try (InputStream in = Objects.requireNonNull(Assembly.class.getResourceAsStream(file), file)) {
                Files.copy(in, bundle.resolve(file), StandardCopyOption.REPLACE_EXISTING);
            }
        }
        if (!bundle.resolve("run").toFile().setExecutable(true)) {
            throw new IOException("run cannot be made executable in " + bundle);
        }
        Files.writeString(bundle.resolve("commit"), commit(target));
        Process tar = new ProcessBuilder("tar", "-czf", "gatun-gpu.tar.gz", "gatun-gpu").directory(target.toFile()).inheritIO().start();
        if (tar.waitFor() != 0) {
            throw new IOException("tar failed");
        }
    }

    /// Moves a jar, so that none of an older build is left behind. Leaves out JCuda's compiler of PTX, which is larger than all of Gatun and not used.
    private static void move(Path jar, Path target) throws IOException {
        if (!jar.getFileName().toString().startsWith("jcuda-natives")) {
            Files.move(jar, target);
            return;
        }
        try (ZipInputStream in = new ZipInputStream(Files.newInputStream(jar));
                ZipOutputStream out = new ZipOutputStream(Files.newOutputStream(target))) {
            for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
                if (!entry.getName().contains("JNvPTXCompiler")) {
                    out.putNextEntry(new ZipEntry(entry.getName()));
                    in.transferTo(out);
                }
            }
        }
        Files.delete(jar);
    }

    /// With a plus where the checkout differs from it.
    private static String commit(Path directory) throws IOException, InterruptedException {
        Process git = new ProcessBuilder("git", "describe", "--always", "--abbrev=12", "--dirty=+").directory(directory.toFile())
                .redirectError(ProcessBuilder.Redirect.DISCARD).start();
        String said = new String(git.getInputStream().readAllBytes());
        return git.waitFor() == 0 ? said : "unknown";
    }

    private static void link(Path image) {
        // Not compressed twice: the archive is the smaller for it.
        ToolProvider jlink = ToolProvider.findFirst("jlink").orElseThrow(() -> new IllegalStateException(
                "this Java has no jlink: found " + System.getProperty("java.home") + ", expected a JDK"));
        int code = jlink.run(System.out, System.err, "--add-modules", String.join(",", MODULES), "--strip-debug", "--no-header-files",
                "--no-man-pages", "--compress", "zip-0", "--output", image.toString());
        if (code != 0) {
            throw new IllegalStateException("jlink failed with " + code);
        }
    }

    private static void delete(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
