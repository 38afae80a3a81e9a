package org.gatun.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads the kernels and their parameters off PTX, so that arguments can be checked before a launch.
final class KernelSignatures {
    private static final Pattern ENTRY = Pattern.compile("\\.entry\\s+([\\w$]+)\\s*(?:\\(([^)]*)\\))?");
    private static final Pattern PARAMETER = Pattern.compile(
            "\\.param\\s+(?:\\.align\\s+(\\d+)\\s+)?\\.([bsuf])(\\d+)[^,\\[]*(?:\\[(\\d+)])?");

    private KernelSignatures() {}

    /// The parameters of each kernel, by its name. What is no PTX has none: the driver will say so.
    static Map<String, List<KernelParameter>> of(String ptx) {
        Map<String, List<KernelParameter>> signatures = new LinkedHashMap<>();
        Matcher entry = ENTRY.matcher(withoutComments(ptx));
        while (entry.find()) {
            List<KernelParameter> parameters = new ArrayList<>();
            Matcher parameter = PARAMETER.matcher(entry.group(2) == null ? "" : entry.group(2));
            while (parameter.find()) {
                parameters.add(parameter(parameter));
            }
            signatures.put(entry.group(1), List.copyOf(parameters));
        }
        return signatures;
    }

    /// By hand, as a regular expression that is tried at each of some millions of characters takes longer than all else of a load.
    private static String withoutComments(String ptx) {
        StringBuilder code = new StringBuilder(ptx.length());
        int from = 0;
        for (int slash = ptx.indexOf('/'); slash >= 0; slash = ptx.indexOf('/', Math.max(from, slash + 1))) {
            boolean line = ptx.startsWith("//", slash);
            if (line || ptx.startsWith("/*", slash)) {
                code.append(ptx, from, slash);
                int end = line ? ptx.indexOf('\n', slash) : ptx.indexOf("*/", slash + 2);
                from = end < 0 ? ptx.length() : line ? end : end + 2;
            }
        }
        return code.append(ptx, from, ptx.length()).toString();
    }

    private static KernelParameter parameter(Matcher declaration) {
        int bytes = Integer.parseInt(declaration.group(3)) / Byte.SIZE;
        int alignment = declaration.group(1) == null ? bytes : Integer.parseInt(declaration.group(1));
        if (declaration.group(4) != null) {
            return new KernelParameter(KernelParameter.Type.BYTES, bytes * Integer.parseInt(declaration.group(4)), alignment);
        }
        boolean real = declaration.group(2).equals("f");
        KernelParameter.Type type = switch (bytes) {
            case 1 -> KernelParameter.Type.BITS_8;
            case 2 -> KernelParameter.Type.BITS_16;
            case 4 -> real ? KernelParameter.Type.FLOAT : KernelParameter.Type.BITS_32;
            default -> real ? KernelParameter.Type.DOUBLE : KernelParameter.Type.BITS_64;
        };
        return new KernelParameter(type, bytes, alignment);
    }
}
