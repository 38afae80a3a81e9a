package org.gatun.cuda;

import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Which driver a PTX needs: the release notes of the PTX ISA say by which CUDA each version came.
///
/// @param ptx version, times ten
record PtxVersion(int ptx) {
    /// What a version of the language came with.
    ///
    /// @param cuda times ten
    /// @param driver first of the branch, on Linux
    private record Release(int cuda, int driver) {}

    private static final Pattern DIRECTIVE = Pattern.compile("(?m)^\\s*\\.version\\s+(\\d+)\\.(\\d)");

    private static final NavigableMap<Integer, Release> RELEASES = new TreeMap<>(Map.ofEntries(
            Map.entry(70, new Release(110, 450)), Map.entry(74, new Release(114, 470)), Map.entry(76, new Release(116, 510)),
            Map.entry(77, new Release(117, 515)), Map.entry(78, new Release(118, 520)), Map.entry(80, new Release(120, 525)),
            Map.entry(81, new Release(121, 530)), Map.entry(82, new Release(122, 535)), Map.entry(83, new Release(123, 545)),
            Map.entry(84, new Release(124, 550)), Map.entry(85, new Release(125, 555)), Map.entry(87, new Release(128, 570)),
            Map.entry(88, new Release(129, 575)), Map.entry(90, new Release(130, 580))));

    /// What to say when a driver refuses a PTX as too new.
    ///
    /// @param ptx the text
    /// @param driver its version, as [CudaDriver#version] has it
    /// @return empty if the text names no version
    static String requirement(String ptx, int driver) {
        Matcher directive = DIRECTIVE.matcher(ptx);
        return directive.find()
                ? new PtxVersion(10 * Integer.parseInt(directive.group(1)) + Integer.parseInt(directive.group(2))).requirement(driver) : "";
    }

    private String requirement(int driver) {
        Map.Entry<Integer, Release> release = RELEASES.ceilingEntry(ptx);
        String needed = release == null ? "a newer driver"
                : "a driver of CUDA %s, %d or later".formatted(decimal(release.getValue().cuda), release.getValue().driver);
        return "PTX %s needs %s, found one of CUDA %s: install a newer driver".formatted(decimal(ptx), needed, decimal(driver / 100 + driver % 100 / 10));
    }

    private static String decimal(int tenths) {
        return tenths / 10 + "." + tenths % 10;
    }
}
