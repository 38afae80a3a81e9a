package org.gatun.cuda.kernels;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.gatun.cuda.KernelParameter;
import org.gatun.cuda.KernelStructure;

/// A kernel as one PTX has it. `build.sh` notes them in `kernels.tsv` when it compiles, and the structures that they take in
/// `arguments.tsv`.
///
/// @param ptx name of the file: family, compute capability times ten, `a` if it is for that one alone and not for later ones, `.ptx`
/// @param kernel name of the entry
/// @param arguments the structure that it takes
/// @param sharedBytes of shared memory that it declares
/// @param registers of a thread by compute capability, times ten, that ptxas assembled it for
/// @param assembled the first 16 digits of the SHA-256 of the text, followed by the release of that ptxas, such as `13.0.88`
public record KernelVariant(String ptx, String kernel, Optional<KernelStructure> arguments, int sharedBytes,
        Map<Integer, Integer> registers, String assembled) {
    private static final String REGISTERS = "registers sm_";

    public KernelVariant {
        registers = Collections.unmodifiableMap(new TreeMap<>(registers));
    }

    /// All that are shipped, by file and name.
    public static List<KernelVariant> all() {
        Map<String, KernelStructure> structures = structures();
        List<String[]> rows = rows("kernels.tsv");
        String[] head = rows.getFirst();
        List<KernelVariant> all = new ArrayList<>();
        for (String[] row : rows.subList(1, rows.size())) {
            Map<Integer, Integer> registers = new TreeMap<>();
            for (int i = 4; i < row.length; i++) {
                if (head[i].startsWith(REGISTERS) && !row[i].equals("-")) {
                    registers.put(Integer.valueOf(head[i].substring(REGISTERS.length())), Integer.valueOf(row[i]));
                }
            }
            all.add(new KernelVariant(row[0], row[1], Optional.ofNullable(structures.get(row[2])), Integer.parseInt(row[3]), registers,
                    row[row.length - 1]));
        }
        return all;
    }

    /// The structures that kernels take, by name.
    static Map<String, KernelStructure> structures() {
        Map<String, List<String[]>> fields = new TreeMap<>();
        for (String[] row : rows("arguments.tsv")) {
            fields.computeIfAbsent(row[0], _ -> new ArrayList<>()).add(row);
        }
        fields.remove("# structure");
        Map<String, KernelStructure> structures = new TreeMap<>();
        fields.forEach((name, rows) -> structures.put(name, new KernelStructure(name, Integer.parseInt(rows.getFirst()[1]),
                rows.stream().map(row -> new KernelStructure.Field(row[2], KernelParameter.Type.valueOf(row[3]), Integer.parseInt(row[4])))
                        .toList())));
        return structures;
    }

    private static List<String[]> rows(String name) {
        return text(name).lines().map(line -> line.split("\t")).toList();
    }

    /// The text of a file that is shipped.
    static String text(String name) {
        try (InputStream in = resource(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The one that a device runs best: for its own compute capability alone, or else for the latest that it has.
    ///
    /// @param variants of a kernel
    /// @param capability of the device, times ten
    /// @return empty if it runs none
    static Optional<KernelVariant> newest(List<KernelVariant> variants, int capability) {
        return variants.stream().filter(variant -> variant.runsOn(capability))
                .max(Comparator.comparingInt(KernelVariant::computeCapability).thenComparing(KernelVariant::forOneCapability));
    }

    private static InputStream resource(String name) {
        InputStream in = KernelVariant.class.getResourceAsStream(name);
        if (in == null) {
            throw new IllegalStateException("resource " + name + " is not in the jar of the kernels: build it anew");
        }
        return in;
    }

    /// Compute capability, times ten, that a device must have at least.
    public int computeCapability() {
        return Integer.parseInt(architecture().replace("a", ""));
    }

    /// Whether no later device runs it.
    public boolean forOneCapability() {
        return architecture().endsWith("a");
    }

    /// Whether a device runs it.
    ///
    /// @param capability of the device, times ten
    public boolean runsOn(int capability) {
        return forOneCapability() ? capability == computeCapability() : capability >= computeCapability();
    }

    private String architecture() {
        return ptx.split("\\.")[1];
    }
}
