package org.gatun.cuda.simulator;

import java.util.List;
import java.util.Locale;
import org.gatun.cuda.simulator.NarrowFloats.Format;
import org.gatun.cuda.simulator.NarrowFloats.Rounding;

/// Conversions between types (`cvt`). From floating point to whole numbers what is out of range becomes the nearest end, NaN zero.
final class ConversionLanes {
    private static final int SIZE = Warp.SIZE;
    private static final List<String> WHOLE = List.of("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64");

    private ConversionLanes() {}

    static void register(Arithmetic.Forms forms) {
        for (String to : WHOLE) {
            for (String from : WHOLE) {
                registerWhole(forms, to, from);
            }
            for (Rounding rounding : Rounding.values()) {
                registerFromWhole(forms, rounding, to);
                registerToWhole(forms, rounding, to);
            }
        }
        registerReal(forms);
        registerPacked(forms);
    }

    private static String mode(Rounding rounding) {
        return rounding.name().toLowerCase(Locale.ROOT);
    }

    private static int bits(String type) {
        return Integer.parseInt(type.substring(1));
    }

    private static boolean isSigned(String type) {
        return type.startsWith("s");
    }

    private static char kind(String type) {
        return Ptx.RegisterClass.ofType(type).letter;
    }

    /// The number that a register's bits are in a type.
    private static long whole(long value, int bits, boolean signed) {
        return signed ? value << 64 - bits >> 64 - bits : bits == 64 ? value : value & (1L << bits) - 1;
    }

    private static void registerWhole(Arithmetic.Forms forms, String to, String from) {
        String operands = "" + kind(to) + kind(from);
        String opcode = "cvt." + to + "." + from;
        switch (operands) {
            case "LI" -> forms.add(opcode, operands, isSigned(from)
                    ? (d, a, _, _, _) -> widen((long[]) d, (int[]) a)
                    : (d, a, _, _, _) -> widenUnsigned((long[]) d, (int[]) a));
            case "IL" -> forms.add(opcode, operands, (d, a, _, _, _) -> narrow((int[]) d, (long[]) a));
            default -> forms.add(opcode, operands, wholes(to, from, false));
        }
        forms.add("cvt.sat." + to + "." + from, operands, wholes(to, from, true));
    }

    private static void widen(long[] d, int[] a) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i];
        }
    }

    private static void widenUnsigned(long[] d, int[] a) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i] & 0xffffffffL;
        }
    }

    private static void narrow(int[] d, long[] a) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = (int) a[i];
        }
    }

    private static Lanes wholes(String to, String from, boolean saturate) {
        int fromBits = bits(from);
        boolean fromSigned = isSigned(from);
        int toBits = bits(to);
        boolean toSigned = isSigned(to);
        return (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                long value = whole(get(a, i), fromBits, fromSigned);
                if (saturate) {
                    value = clamp(value, fromSigned, toBits, toSigned);
                }
                set(d, i, whole(value, toBits, toSigned), toBits);
            }
        };
    }

    private static long clamp(long value, boolean isSigned, int bits, boolean toSigned) {
        long max = toSigned ? Long.MAX_VALUE >>> 64 - bits : bits == 64 ? -1 : (1L << bits) - 1;
        if (!isSigned) {
            return Long.compareUnsigned(value, max) > 0 ? max : value;
        }
        if (!toSigned) {
            return value < 0 ? 0 : Long.compareUnsigned(value, max) > 0 ? max : value;
        }
        return Math.clamp(value, -max - 1, max);
    }

    private static long get(Object register, int lane) {
        return register instanceof long[] longs ? longs[lane] : ((int[]) register)[lane];
    }

    private static void set(Object register, int lane, long value, int bits) {
        if (register instanceof long[] longs) {
            longs[lane] = value;
        } else {
            ((int[]) register)[lane] = bits <= 16 ? (int) value & 0xffff : (int) value;
        }
    }

    private static void registerFromWhole(Arithmetic.Forms forms, Rounding rounding, String from) {
        int bits = bits(from);
        boolean signed = isSigned(from);
        String start = "cvt." + mode(rounding) + ".";
        if (rounding == Rounding.RN && from.equals("s32")) {
            forms.add("cvt.rn.f32.s32", "FI", (d, a, _, _, _) -> toFloats((float[]) d, (int[]) a));
        } else {
            forms.add(start + "f32." + from, "F" + kind(from), (d, a, _, _, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    long value = whole(get(a, i), bits, signed);
                    double nearest = toDouble(value, signed);
                    ((float[]) d)[i] = NarrowFloats.toFloat(nearest, wholeError(value, nearest, signed), rounding);
                }
            });
        }
        forms.add(start + "f64." + from, "D" + kind(from), (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                long value = whole(get(a, i), bits, signed);
                double nearest = toDouble(value, signed);
                double error = wholeError(value, nearest, signed);
                ((double[]) d)[i] = rounding == Rounding.RN || error == 0 ? nearest
                        : error < 0 && (rounding == Rounding.RM || rounding == Rounding.RZ && nearest > 0) ? Math.nextDown(nearest)
                        : error > 0 && (rounding == Rounding.RP || rounding == Rounding.RZ && nearest < 0) ? Math.nextUp(nearest)
                        : nearest;
            }
        });
        for (Format format : List.of(Format.F16, Format.BF16)) {
            forms.add(start + format.name().toLowerCase(Locale.ROOT) + "." + from, "H" + kind(from), (d, a, _, _, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    long value = whole(get(a, i), bits, signed);
                    double nearest = toDouble(value, signed);
                    ((int[]) d)[i] = format.encode(NarrowFloats.toOdd(nearest, wholeError(value, nearest, signed)), rounding, false);
                }
            });
        }
    }

    private static void toFloats(float[] d, int[] a) {
        for (int i = 0; i < SIZE; i++) {
            d[i] = a[i];
        }
    }

    private static double toDouble(long value, boolean signed) {
        return signed || value >= 0 ? (double) value : ((double) (value >>> 1 | value & 1)) * 2;
    }

    /// What a double leaves out of a whole number.
    private static double wholeError(long value, double nearest, boolean signed) {
        if (signed) {
            return nearest == 0x1p63 ? -(double) (Long.MAX_VALUE - value + 1) : value - (long) nearest;
        }
        return nearest >= 0x1p64 ? -(double) -value : nearest >= 0x1p63 ? value - ((long) (nearest - 0x1p63) ^ Long.MIN_VALUE)
                : value - (long) nearest;
    }

    private static void registerToWhole(Arithmetic.Forms forms, Rounding rounding, String to) {
        for (String ftz : new String[] {"", ".ftz"}) {
            for (String saturation : new String[] {"", ".sat"}) {
                toWhole(forms, "cvt." + mode(rounding) + "i" + ftz + saturation, to, "f32", 'F', rounding, !ftz.isEmpty());
            }
        }
        toWhole(forms, "cvt." + mode(rounding) + "i", to, "f64", 'D', rounding, false);
        toWhole(forms, "cvt." + mode(rounding) + "i", to, "f16", 'H', rounding, false);
        toWhole(forms, "cvt." + mode(rounding) + "i", to, "bf16", 'H', rounding, false);
    }

    private static void toWhole(Arithmetic.Forms forms, String start, String to, String from, char kind, Rounding rounding,
            boolean flush) {
        int bits = bits(to);
        boolean signed = isSigned(to);
        double max = Math.scalb(1.0, signed ? bits - 1 : bits);
        double min = signed ? -max : 0;
        forms.add(start + "." + to + "." + from, "" + kind(to) + kind, (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                double x = real(a, i, from);
                double rounded = rounding.apply(flush && Math.abs(x) < Float.MIN_NORMAL ? 0 : x);
                long value = x != x ? 0
                        : rounded >= max ? signed ? Long.MAX_VALUE >>> 64 - bits : -1L >>> 64 - bits
                        : rounded <= min ? signed ? -1L << bits - 1 : 0
                        : rounded >= 0x1p63 ? (long) (rounded - 0x1p63) ^ Long.MIN_VALUE
                        : (long) rounded;
                set(d, i, value, bits);
            }
        });
    }

    private static double real(Object register, int lane, String type) {
        return switch (type) {
            case "f32" -> ((float[]) register)[lane];
            case "f64" -> ((double[]) register)[lane];
            case "f16" -> NarrowFloats.f16ToFloat(((int[]) register)[lane]);
            default -> NarrowFloats.bf16ToFloat(((int[]) register)[lane]);
        };
    }

    private static void registerReal(Arithmetic.Forms forms) {
        forms.add("cvt.f64.f32", "DF", (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((double[]) d)[i] = ((float[]) a)[i];
            }
        });
        for (String half : new String[] {"f16", "bf16"}) {
            for (String ftz : new String[] {"", ".ftz"}) {
                boolean flush = !ftz.isEmpty();
                forms.add("cvt" + ftz + ".f32." + half, "FH", (d, a, _, _, _) -> {
                    for (int i = 0; i < SIZE; i++) {
                        float value = (float) real(a, i, half);
                        ((float[]) d)[i] = flush ? NarrowFloats.flush(value) : value;
                    }
                });
            }
            forms.add("cvt.f64." + half, "DH", (d, a, _, _, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    ((double[]) d)[i] = real(a, i, half);
                }
            });
        }
        for (Rounding rounding : Rounding.values()) {
            for (String ftz : new String[] {"", ".ftz"}) {
                forms.add("cvt." + mode(rounding) + ftz + ".f32.f64", "FD", (d, a, _, _, _) -> {
                    for (int i = 0; i < SIZE; i++) {
                        float value = NarrowFloats.toFloat(((double[]) a)[i], 0, rounding);
                        ((float[]) d)[i] = ftz.isEmpty() ? value : NarrowFloats.flush(value);
                    }
                });
                for (String saturation : new String[] {"", ".sat"}) {
                    forms.add("cvt." + mode(rounding) + "i" + ftz + saturation + ".f32.f32", "FF", (d, a, _, _, _) -> {
                        for (int i = 0; i < SIZE; i++) {
                            float x = ((float[]) a)[i];
                            float whole = (float) rounding.apply(ftz.isEmpty() ? x : NarrowFloats.flush(x));
                            ((float[]) d)[i] = saturation.isEmpty() ? whole : FloatLanes.saturate(whole);
                        }
                    });
                }
            }
            forms.add("cvt." + mode(rounding) + "i.f64.f64", "DD", (d, a, _, _, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    ((double[]) d)[i] = rounding.apply(((double[]) a)[i]);
                }
            });
            if (rounding == Rounding.RN || rounding == Rounding.RZ) {
                registerToHalf(forms, rounding);
            }
        }
        forms.add("cvt.sat.f32.f32", "FF", (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = FloatLanes.saturate(((float[]) a)[i]);
            }
        });
        forms.add("cvt.ftz.sat.f32.f32", "FF", (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = NarrowFloats.flush(FloatLanes.saturate(((float[]) a)[i]));
            }
        });
        forms.add("cvt.ftz.f32.f32", "FF", (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                ((float[]) d)[i] = NarrowFloats.flush(((float[]) a)[i]);
            }
        });
        // To nearest, ties away from zero.
        forms.add("cvt.rna.tf32.f32", "IF", (d, a, _, _, _) -> {
            for (int i = 0; i < SIZE; i++) {
                float x = ((float[]) a)[i];
                int bits = Float.floatToRawIntBits(x);
                ((int[]) d)[i] = x != x ? 0x7fffffff : Float.isInfinite(x) ? bits : bits + 0x1000 & ~0x1fff;
            }
        });
    }

    private static void registerToHalf(Arithmetic.Forms forms, Rounding rounding) {
        for (Format format : List.of(Format.F16, Format.BF16)) {
            String name = format.name().toLowerCase(Locale.ROOT);
            for (String modifier : new String[] {"", ".relu", ".satfinite", ".ftz"}) {
                if (format == Format.BF16 && modifier.equals(".ftz")) {
                    continue;
                }
                forms.add("cvt." + mode(rounding) + modifier + "." + name + ".f32", "HF", (d, a, _, _, _) -> {
                    for (int i = 0; i < SIZE; i++) {
                        ((int[]) d)[i] = toHalf(((float[]) a)[i], format, rounding, modifier);
                    }
                });
                if (!modifier.equals(".ftz")) {
                    forms.add("cvt." + mode(rounding) + modifier + "." + name + "x2.f32", "IFF", (d, a, b, _, _) -> {
                        for (int i = 0; i < SIZE; i++) {
                            ((int[]) d)[i] = toHalf(((float[]) b)[i], format, rounding, modifier)
                                    | toHalf(((float[]) a)[i], format, rounding, modifier) << 16;
                        }
                    });
                }
            }
            forms.add("cvt." + mode(rounding) + "." + name + ".f64", "HD", (d, a, _, _, _) -> {
                for (int i = 0; i < SIZE; i++) {
                    ((int[]) d)[i] = format.encode(((double[]) a)[i], rounding, false);
                }
            });
        }
    }

    private static int toHalf(float x, Format format, Rounding rounding, String modifier) {
        float value = modifier.equals(".relu") && x < 0 ? 0 : x;
        if (rounding == Rounding.RN && !modifier.equals(".satfinite")) {
            return format == Format.F16 ? NarrowFloats.floatToF16(value) : NarrowFloats.floatToBf16(value);
        }
        return format.encode(value, rounding, modifier.equals(".satfinite"));
    }

    /// Formats of 8 bits, two in a 16-bit register. Of two sources the first goes to the upper place.
    private static void registerPacked(Arithmetic.Forms forms) {
        for (Format format : List.of(Format.E4M3, Format.E5M2)) {
            String name = format.name().toLowerCase(Locale.ROOT) + "x2";
            for (String relu : new String[] {"", ".relu"}) {
                forms.add("cvt.rn.satfinite" + relu + "." + name + ".f32", "HFF", (d, a, b, _, _) -> {
                    for (int i = 0; i < SIZE; i++) {
                        ((int[]) d)[i] = toEight(((float[]) b)[i], format, relu) | toEight(((float[]) a)[i], format, relu) << 8;
                    }
                });
                forms.add("cvt.rn.satfinite" + relu + "." + name + ".f16x2", "HI", (d, a, _, _, _) -> {
                    for (int i = 0; i < SIZE; i++) {
                        int pair = ((int[]) a)[i];
                        ((int[]) d)[i] = toEight(NarrowFloats.f16ToFloat(pair & 0xffff), format, relu)
                                | toEight(NarrowFloats.f16ToFloat(pair >>> 16), format, relu) << 8;
                    }
                });
                forms.add("cvt.rn" + relu + ".f16x2." + name, "IH", (d, a, _, _, _) -> {
                    for (int i = 0; i < SIZE; i++) {
                        int pair = ((int[]) a)[i];
                        ((int[]) d)[i] = fromEight(pair & 0xff, format, relu) | fromEight(pair >>> 8 & 0xff, format, relu) << 16;
                    }
                });
            }
        }
    }

    private static int toEight(float x, Format format, String relu) {
        return format.encode(!relu.isEmpty() && x < 0 ? 0 : x, Rounding.RN, true);
    }

    private static int fromEight(int bits, Format format, String relu) {
        float value = format.decode(bits);
        return NarrowFloats.floatToF16(!relu.isEmpty() && value < 0 ? 0 : value);
    }
}
