package org.gatun.cuda.kernels;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// A kernel as one PTX has it. `build.sh` notes them in `kernels.tsv` when it compiles.
///
/// @param ptx name of the file: family, compute capability times ten, `a` if it is for that one alone and not for later ones, `.ptx`
/// @param kernel name of the entry
/// @param sharedBytes of shared memory that it declares
/// @param registers of a thread by compute capability, times ten, that ptxas assembled it for
/// @param assembled the first 16 digits of the SHA-256 of the text, followed by the release of that ptxas, such as `13.0.88`
public record KernelVariant(String ptx, String kernel, int sharedBytes, Map<Integer, Integer> registers, String assembled) {
    private static final String REGISTERS = "registers sm_";

    public KernelVariant {
        registers = Collections.unmodifiableMap(new TreeMap<>(registers));
    }

    /// All that are shipped, by file and name.
    public static List<KernelVariant> all() {
        try (InputStream in = resource("kernels.tsv");
                BufferedReader lines = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            String[] head = lines.readLine().split("\t");
            List<KernelVariant> all = new ArrayList<>();
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                String[] fields = line.split("\t");
                Map<Integer, Integer> registers = new TreeMap<>();
                for (int i = 3; i < fields.length; i++) {
                    if (head[i].startsWith(REGISTERS) && !fields[i].equals("-")) {
                        registers.put(Integer.valueOf(head[i].substring(REGISTERS.length())), Integer.valueOf(fields[i]));
                    }
                }
                all.add(new KernelVariant(fields[0], fields[1], Integer.parseInt(fields[2]), registers, fields[fields.length - 1]));
            }
            return all;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// The text of a PTX that is shipped.
    static String text(String ptx) {
        try (InputStream in = resource(ptx)) {
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
