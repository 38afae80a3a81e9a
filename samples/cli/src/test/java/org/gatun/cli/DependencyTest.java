package org.gatun.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.gatun.test.Dependencies;
import org.gatun.test.Dependencies.Line;
import org.junit.jupiter.api.Test;

/// What ships with the command line: the jars that `ci/dependencies.tsv` and NOTICE name, to the byte, under licences that may be shipped.
class DependencyTest {
    private static final Path ROOT = Path.of("../..");
    private static final Set<String> SHIPPABLE = Set.of("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause");

    private static Dependencies list() throws IOException {
        return Dependencies.read(ROOT.resolve("ci/dependencies.tsv"));
    }

    @Test
    void classPath_everyJar_isTheOneOfTheList() throws IOException {
        assertEquals(List.of(), list().complaints());
        assertTrue(Dependencies.jars().size() > 5, "the class path has jars: " + Dependencies.jars());
    }

    @Test
    void licences_ofWhatShips_areShippable() throws IOException {
        for (Line line : list().lines()) {
            assertTrue(line.use().equals("tests") || SHIPPABLE.contains(line.licence()), line.name() + " ships under " + line.licence());
        }
    }

    /// Whatever the list says: no jar that ships comes with a licence of the GPL's family.
    @Test
    void licences_inTheJarsThatShip_areNoGpl() throws IOException {
        Set<String> ships = Set.copyOf(list().lines().stream().filter(line -> line.use().equals("ships")).map(Line::name).toList());
        int looked = 0;
        for (Path jar : Dependencies.jars()) {
            if (ships.contains(Dependencies.name(jar))) {
                looked++;
                try (ZipFile zip = new ZipFile(jar.toFile())) {
                    for (ZipEntry entry : zip.stream().filter(one -> one.getName().matches("(?i).*(license|licence|notice|copying|pom\\.xml)[^/]*"))
                            .toList()) {
                        String text = new String(zip.getInputStream(entry).readAllBytes(), StandardCharsets.UTF_8).toUpperCase(Locale.ROOT);
                        assertTrue(!text.contains("LESSER GENERAL PUBLIC") && !text.contains("GNU GENERAL PUBLIC"), jar + ": " + entry);
                    }
                }
            }
        }
        assertTrue(looked > 3, looked + " jars");
    }

    @Test
    void notice_namesWhatShips_andNothingElse() throws IOException {
        String notice = Files.readString(ROOT.resolve("NOTICE"));
        List<String> named = notice.lines().filter(line -> line.startsWith("* ")).map(line -> line.substring(2).replaceFirst(" .*", "")).sorted().toList();
        List<String> ships = list().lines().stream().filter(line -> line.use().equals("ships")).map(Line::name).sorted().toList();
        assertEquals(ships, named);
    }
}
