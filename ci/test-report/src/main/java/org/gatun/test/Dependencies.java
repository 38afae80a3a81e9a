package org.gatun.test;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The libraries of other people that `ci/dependencies.tsv` names, one a line: `group:artifact:version`, whether it `ships` or is for
/// `tests`, the licence by its SPDX name, and the SHA-256 of the jar. A library that is new or another one than before is seen by its hash,
/// whatever the repository it came from says.
public final class Dependencies {
    private final Map<String, Line> lines = new LinkedHashMap<>();

    /// A library.
    ///
    /// @param name `group:artifact:version`
    /// @param use `ships` or `tests`
    /// @param licence by its SPDX name
    /// @param sha256 of the jar, in hexadecimal digits
    public record Line(String name, String use, String licence, String sha256) {
        /// @throws IllegalArgumentException if it is for neither
        public Line {
            if (!use.equals("ships") && !use.equals("tests")) {
                throw new IllegalArgumentException(name + ": found '" + use + "', expected ships or tests");
            }
        }
    }

    private Dependencies() {}

    /// Reads the list.
    ///
    /// @throws IllegalArgumentException if a line has not four columns
    /// @throws IOException if it cannot be read
    public static Dependencies read(Path list) throws IOException {
        Dependencies dependencies = new Dependencies();
        for (String text : Files.readAllLines(list)) {
            String[] columns = text.split("\t", -1);
            if (columns.length != 4) {
                throw new IllegalArgumentException(list + ": found '" + text + "', expected name, use, licence and SHA-256");
            }
            dependencies.lines.put(columns[0], new Line(columns[0], columns[1], columns[2], columns[3]));
        }
        return dependencies;
    }

    /// All lines, in the order of the file.
    public List<Line> lines() {
        return List.copyOf(lines.values());
    }

    /// Compares the jars of this process's class path with the list.
    ///
    /// @return what is wrong, for each the line that would be right; empty if nothing is
    /// @throws IOException if a jar cannot be read
    public List<String> complaints() throws IOException {
        List<String> complaints = new ArrayList<>();
        for (Path jar : jars()) {
            String name = name(jar);
            String found = sha256(jar);
            Line line = lines.get(name);
            if (line == null) {
                complaints.add("not in the list, look at it, then add: " + name + "\tships or tests\tlicence\t" + found);
            } else if (!line.sha256.equals(found)) {
                complaints.add(name + ": found SHA-256 " + found + ", expected " + line.sha256);
            }
        }
        return complaints;
    }

    /// The jars of other people on the class path.
    public static List<Path> jars() {
        List<Path> jars = new ArrayList<>();
        for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
            Path path = Path.of(entry);
            // as repositories have them: GROUP/ARTIFACT/VERSION/ARTIFACT-VERSION.jar
            if (entry.endsWith(".jar") && path.getNameCount() > 3 && !entry.contains("org" + File.separator + "gatun" + File.separator)
                    && path.getFileName().toString().startsWith(path.getParent().getParent().getFileName() + "-")) {
                jars.add(path);
            }
        }
        return jars;
    }

    /// `group:artifact:version` of a jar in a local repository.
    public static String name(Path jar) {
        Path version = jar.getParent();
        Path artifact = version.getParent();
        List<String> group = new ArrayList<>();
        for (Path folder = artifact.getParent(); folder != null && folder.getFileName() != null
                && !folder.getFileName().toString().equals("repository"); folder = folder.getParent()) {
            group.addFirst(folder.getFileName().toString());
        }
        return String.join(".", group) + ":" + artifact.getFileName() + ":" + version.getFileName();
    }

    private static String sha256(Path file) throws IOException {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(Files.readAllBytes(file)));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java has it
        }
    }
}
