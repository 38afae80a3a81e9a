package org.gatun.cuda.simulator;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// What an arithmetic instruction gives by the definitions of the PTX ISA, told from its opcode alone: whole numbers as [BigInteger],
/// others as exact decimals that are rounded once. Shares nothing with the simulator.
final class FormOracle {
    private static final MathContext QUOTIENT = new MathContext(400, RoundingMode.DOWN);

    private final String name;
    private final List<String> words;

    FormOracle(String opcode) {
        List<String> all = Arrays.asList(opcode.split("\\."));
        name = all.getFirst();
        words = all.subList(1, all.size());
    }

    /// What is right: a value, and by how much a result may differ from it.
    ///
    /// @param bits of a whole number, or null
    /// @param number a floating-point one
    /// @param relative difference that is allowed
    /// @param absolute difference that is allowed besides
    record Answer(Long bits, double number, double relative, double absolute) {
        /// Any result is right.
        static final Answer OPEN = new Answer(null, 0, 0, 0);

        static Answer bits(BigInteger value, int width) {
            return new Answer(value.and(BigInteger.TWO.pow(width).subtract(BigInteger.ONE)).longValue(), 0, 0, 0);
        }

        static Answer exactly(double number) {
            return new Answer(null, number, 0, 0);
        }
    }

    /// The type by the last words of the opcode.
    String type() {
        return words.getLast();
    }

    /// The bits of each half, low first, of an instruction on pairs; else empty.
    boolean isPaired() {
        return type().endsWith("x2") && !name.equals("cvt");
    }

    private boolean has(String word) {
        return words.contains(word);
    }

    private String rounding() {
        return words.stream().filter(word -> word.matches("r[nzmp]i?|rna")).findFirst().map(word -> word.replace("i", "")).orElse("rn");
    }

    /// The answer for operands given as raw bits.
    ///
    /// @return empty if this instruction is not known; an answer of [Answer#OPEN] if the ISA leaves the result open
    Optional<Answer> answer(long... operands) {
        BinaryFormat format = BinaryFormat.of(type());
        if (type().equals("pred")) {
            return logic(operands[0] != 0, operands.length > 1 && operands[1] != 0);
        }
        return switch (name) {
            case "cvt" -> convert(operands[0]);
            case "mov" -> Optional.of(Answer.bits(BigInteger.valueOf(operands[0]), 64));
            case "selp" -> Optional.of(Answer.bits(BigInteger.valueOf(operands[2] != 0 ? operands[0] : operands[1]), 64));
            case "slct" -> Optional.of(Answer.bits(BigInteger.valueOf((int) operands[2] >= 0 ? operands[0] : operands[1]), 64));
            case "set", "setp" -> compare(operands[0], operands[1], format);
            case "testp" -> Optional.of(truth(test(operands[0])));
            case "copysign" -> Optional.of(Answer.exactly(Math.copySign(format.decode(operands[1]), format.decode(operands[0]))));
            default -> format != null ? real(format, operands) : whole(operands);
        };
    }

    private static Answer truth(boolean value) {
        return new Answer(value ? 0xffffffffL : 0, 0, 0, 0);
    }

    private Optional<Answer> logic(boolean a, boolean b) {
        return switch (name) {
            case "and" -> Optional.of(truth(a && b));
            case "or" -> Optional.of(truth(a || b));
            case "xor" -> Optional.of(truth(a != b));
            case "not" -> Optional.of(truth(!a));
            case "mov" -> Optional.of(truth(a));
            default -> Optional.empty();
        };
    }

    private boolean test(long bits) {
        double x = BinaryFormat.F32.decode(bits);
        return switch (words.getFirst()) {
            case "finite" -> Double.isFinite(x);
            case "infinite" -> Double.isInfinite(x);
            case "number" -> !Double.isNaN(x);
            case "notanumber" -> Double.isNaN(x);
            case "normal" -> Double.isFinite(x) && Math.abs(x) >= 0x1p-126;
            default -> x != 0 && Math.abs(x) < 0x1p-126;
        };
    }

    private Optional<Answer> compare(long a, long b, BinaryFormat format) {
        String relation = words.getFirst();
        if (format == null) {
            int order = number(a, type()).compareTo(number(b, type()));
            return Optional.of(truth(holds(relation.replace("hi", "gt").replace("hs", "ge").replace("lo", "lt").replace("ls", "le"), order)));
        }
        double x = flush(format.decode(a), format);
        double y = flush(format.decode(b), format);
        boolean unordered = Double.isNaN(x) || Double.isNaN(y);
        if (relation.equals("num") || relation.equals("nan")) {
            return Optional.of(truth(unordered == relation.equals("nan")));
        }
        if (unordered) {
            return Optional.of(truth(relation.length() == 3));
        }
        return Optional.of(truth(holds(relation.substring(0, 2), x == y ? 0 : x < y ? -1 : 1)));
    }

    private static boolean holds(String relation, int order) {
        return switch (relation) {
            case "eq" -> order == 0;
            case "ne" -> order != 0;
            case "lt" -> order < 0;
            case "le" -> order <= 0;
            case "gt" -> order > 0;
            default -> order >= 0;
        };
    }

    // Floating point.

    private double flush(double x, BinaryFormat format) {
        return has("ftz") && Math.abs(x) < format.smallestNormal() ? Math.copySign(0, x) : x;
    }

    private Answer finish(double x, BinaryFormat format) {
        double kept = flush(x, format);
        if (has("sat")) {
            kept = Double.isNaN(kept) ? 0 : Math.clamp(kept, 0.0, 1.0) + 0.0;
        }
        // Of which sign the zero of a .relu is, is left open.
        return has("relu") && kept <= 0 ? new Answer(null, 0, 0, Double.MIN_VALUE) : Answer.exactly(kept);
    }

    private Optional<Answer> real(BinaryFormat format, long[] bits) {
        double a = flush(format.decode(bits[0]), format);
        double b = bits.length > 1 ? flush(format.decode(bits[1]), format) : 0;
        double c = bits.length > 2 ? flush(format.decode(bits[2]), format) : 0;
        return switch (name) {
            case "abs" -> Optional.of(finish(Math.abs(a), format));
            case "neg" -> Optional.of(finish(-a, format));
            case "add" -> Optional.of(finish(sum(a, b, format), format));
            case "sub" -> Optional.of(finish(sum(a, -b, format), format));
            case "mul" -> Optional.of(finish(fused(a, b, -0.0, format), format));
            case "fma", "mad" -> Optional.of(finish(fused(a, b, c, format), format));
            case "min", "max" -> Optional.of(finish(extreme(a, b), format));
            case "div" -> Optional.of(has("approx") || has("full") ? close(a / b, a, b) : finish(quotient(a, b, format), format));
            case "rcp" -> Optional.of(has("approx") ? new Answer(null, flush(1 / a, format), format == BinaryFormat.F64 ? 0x1p-19 : 0x1p-23,
                    0) : finish(quotient(1, a, format), format));
            case "sqrt" -> Optional.of(has("approx") ? new Answer(null, Math.sqrt(a), 0x1p-23, 0) : finish(root(a, format), format));
            case "rsqrt" -> Optional.of(new Answer(null, 1 / Math.sqrt(a), format == BinaryFormat.F64 ? 0x1p-19 : 0x1p-22, 0));
            case "ex2" -> Optional.of(new Answer(null, flush(StrictMath.pow(2, a), format), switch (format) {
                case F32 -> 0x1p-22;
                case F16 -> 0x1p-9;
                default -> 0x1p-7;
            }, format == BinaryFormat.F16 ? 0x1p-24 : 0x1p-149));
            case "lg2" -> Optional.of(new Answer(null, StrictMath.log(a) / StrictMath.log(2), 0x1p-22, 0x1p-22));
            case "sin", "cos" -> Math.abs(a) > Math.PI && Double.isFinite(a) ? Optional.of(Answer.OPEN)
                    : Optional.of(new Answer(null, name.equals("sin") ? StrictMath.sin(a) : StrictMath.cos(a), 0, 0x1p-20));
            case "tanh" -> Optional.of(new Answer(null, StrictMath.tanh(a), format == BinaryFormat.BF16 ? 0x1p-8 : 0x1p-10, 0));
            default -> Optional.empty();
        };
    }

    private double extreme(double a, double b) {
        if (Double.isNaN(a) || Double.isNaN(b)) {
            return has("NaN") || Double.isNaN(a) && Double.isNaN(b) ? Double.NaN : Double.isNaN(a) ? b : a;
        }
        return name.equals("min") ? Math.min(a, b) : Math.max(a, b);
    }

    /// Two units in the last place, for divisors from 2^-126 to 2^126; beyond, the ISA leaves more open.
    private Answer close(double quotient, double a, double b) {
        boolean ordinary = Math.abs(b) >= 0x1p-126 && Math.abs(b) <= 0x1p126 || Double.isNaN(quotient);
        return ordinary && (Math.abs(quotient) >= 0x1p-126 && Math.abs(quotient) < 0x1p128 || Double.isNaN(quotient))
                ? new Answer(null, quotient, 0x1p-22, 0) : Answer.OPEN;
    }

    private double sum(double a, double b, BinaryFormat format) {
        if (!Double.isFinite(a) || !Double.isFinite(b)) {
            return a + b;
        }
        BigDecimal exact = new BigDecimal(a).add(new BigDecimal(b));
        boolean bothNegative = 1 / a < 0 && 1 / b < 0;
        return format.round(exact, rounding(), a == 0 && b == 0 && 1 / a == 1 / b ? bothNegative : rounding().equals("rm"));
    }

    private double fused(double a, double b, double c, BinaryFormat format) {
        if (!Double.isFinite(a) || !Double.isFinite(b) || !Double.isFinite(c)) {
            return a * b + c;
        }
        BigDecimal product = new BigDecimal(a).multiply(new BigDecimal(b));
        boolean negativeProduct = Math.copySign(1, a) * Math.copySign(1, b) < 0;
        boolean negativeC = Math.copySign(1, c) < 0;
        BigDecimal exact = product.add(new BigDecimal(c));
        boolean zeros = product.signum() == 0 && c == 0;
        boolean negativeZero = name.equals("mul") ? negativeProduct
                : zeros && negativeProduct == negativeC ? negativeC : rounding().equals("rm");
        return format.round(exact, rounding(), negativeZero);
    }

    private double quotient(double a, double b, BinaryFormat format) {
        if (!Double.isFinite(a) || !Double.isFinite(b) || a == 0 || b == 0) {
            return a / b;
        }
        return format.round(new BigDecimal(a).divide(new BigDecimal(b), QUOTIENT), rounding(), false);
    }

    private double root(double a, BinaryFormat format) {
        if (!(a > 0) || Double.isInfinite(a)) {
            return Math.sqrt(a);
        }
        return format.round(new BigDecimal(a).sqrt(QUOTIENT), rounding(), false);
    }

    // Whole numbers.

    private static int width(String type) {
        return Integer.parseInt(type.substring(1));
    }

    private static BigInteger number(long bits, String type) {
        BigInteger value = BigInteger.valueOf(bits).and(BigInteger.TWO.pow(width(type)).subtract(BigInteger.ONE));
        return type.startsWith("s") && value.testBit(width(type) - 1) ? value.subtract(BigInteger.TWO.pow(width(type))) : value;
    }

    private Optional<Answer> whole(long[] bits) {
        String type = name.startsWith("dp") || name.equals("prmt") || name.equals("shf") || name.equals("bmsk") ? "b32" : type();
        int width = width(type);
        BigInteger a = number(bits[0], type);
        BigInteger b = bits.length > 1 ? number(bits[1], type) : BigInteger.ZERO;
        BigInteger c = bits.length > 2 ? BigInteger.valueOf(bits[2]) : BigInteger.ZERO;
        BigInteger product = a.multiply(b);
        BigInteger high = product.shiftRight(width);
        BigInteger product24 = low24(a, type).multiply(low24(b, type));
        int shift = (int) bits[bits.length > 1 ? 1 : 0];
        int clamped = shift < 0 || shift > width ? width : shift; // unsigned
        BigInteger result = switch (name) {
            case "add" -> a.add(b);
            case "sub" -> a.subtract(b);
            case "mul" -> has("hi") ? high : product;
            case "mad" -> (has("hi") ? high : product).add(c);
            case "mul24" -> product24;
            case "mad24" -> product24.add(c);
            case "sad" -> a.subtract(b).abs().add(c);
            case "div" -> b.signum() == 0 ? null : a.divide(b);
            case "rem" -> b.signum() == 0 ? null : a.remainder(b);
            case "min" -> a.min(b);
            case "max" -> a.max(b);
            case "neg" -> a.negate();
            case "abs" -> a.abs();
            case "and" -> a.and(b);
            case "or" -> a.or(b);
            case "xor" -> a.xor(b);
            case "not" -> a.not();
            case "cnot" -> a.signum() == 0 ? BigInteger.ONE : BigInteger.ZERO;
            case "shl" -> a.shiftLeft(clamped);
            case "shr" -> a.shiftRight(clamped);
            case "popc" -> BigInteger.valueOf(a.bitCount());
            case "clz" -> BigInteger.valueOf(width - a.bitLength());
            case "brev" -> reversed(a, width);
            case "bfind" -> find(a);
            case "bfe" -> extract(a, (int) bits[1] & 0xff, (int) bits[2] & 0xff, width);
            case "bfi" -> insert(a, b, (int) bits[2] & 0xff, (int) bits[3] & 0xff, width);
            case "bmsk" -> mask((int) bits[0], (int) bits[1]);
            case "szext" -> extend(a, (int) bits[1]);
            case "shf" -> funnel(bits);
            case "prmt" -> permute(bits);
            case "lop3" -> lookUp(bits);
            case "dp4a", "dp2a" -> dot(bits);
            default -> null;
        };
        if (result == null) {
            return name.equals("div") || name.equals("rem") ? Optional.of(Answer.OPEN) : Optional.empty(); // division by zero is left open
        }
        return Optional.of(Answer.bits(result, switch (name) {
            case "mul", "mad" -> has("wide") ? 2 * width : width;
            case "popc", "clz", "bfind" -> 32;
            default -> width;
        }));
    }

    private static BigInteger low24(BigInteger value, String type) {
        BigInteger low = value.and(BigInteger.valueOf(0xffffff));
        return type.startsWith("s") && low.testBit(23) ? low.subtract(BigInteger.TWO.pow(24)) : low;
    }

    private static BigInteger reversed(BigInteger value, int width) {
        BigInteger result = BigInteger.ZERO;
        for (int i = 0; i < width; i++) {
            result = value.testBit(i) ? result.setBit(width - 1 - i) : result;
        }
        return result;
    }

    private BigInteger find(BigInteger value) {
        int top = (value.signum() < 0 ? value.not() : value).bitLength() - 1;
        return BigInteger.valueOf(top < 0 ? -1 : has("shiftamt") ? width(type()) - 1 - top : top);
    }

    private BigInteger extract(BigInteger a, int position, int length, int width) {
        BigInteger result = BigInteger.ZERO;
        boolean sign = type().startsWith("s") && length > 0 && a.testBit(Math.min(position + length - 1, width - 1));
        for (int i = 0; i < width; i++) {
            boolean bit = i < length && position + i < width ? a.testBit(position + i) : sign;
            result = bit ? result.setBit(i) : result;
        }
        return result;
    }

    private static BigInteger insert(BigInteger a, BigInteger b, int position, int length, int width) {
        BigInteger result = b;
        for (int i = 0; i < length && position + i < width; i++) {
            result = a.testBit(i) ? result.setBit(position + i) : result.clearBit(position + i);
        }
        return result;
    }

    private BigInteger mask(int position, int length) {
        boolean clamps = has("clamp");
        int from = clamps ? Integer.compareUnsigned(position, 32) > 0 ? 32 : position : position & 31;
        int count = clamps ? Integer.compareUnsigned(length, 32) > 0 ? 32 : length : length & 31;
        return BigInteger.TWO.pow(count).subtract(BigInteger.ONE).shiftLeft(from);
    }

    private BigInteger extend(BigInteger a, int length) {
        int count = has("clamp") ? Integer.compareUnsigned(length, 32) > 0 ? 32 : length : length & 31;
        BigInteger low = a.and(BigInteger.TWO.pow(count).subtract(BigInteger.ONE));
        return type().startsWith("s") && count > 0 && low.testBit(count - 1) ? low.subtract(BigInteger.TWO.pow(count)) : low;
    }

    private BigInteger funnel(long[] bits) {
        BigInteger both = number(bits[1], "b32").shiftLeft(32).or(number(bits[0], "b32"));
        int shift = has("clamp") ? Integer.compareUnsigned((int) bits[2], 32) > 0 ? 32 : (int) bits[2] : (int) bits[2] & 31;
        return has("l") ? both.shiftLeft(shift).shiftRight(32) : both.shiftRight(shift);
    }

    private BigInteger permute(long[] bits) {
        BigInteger both = number(bits[1], "b32").shiftLeft(32).or(number(bits[0], "b32"));
        int selector = (int) bits[2];
        int n = selector & 3;
        long result = 0;
        for (int i = 0; i < 4; i++) {
            int choice = switch (type()) {
                case "f4e" -> n + i;
                case "b4e" -> n - i & 7;
                case "rc8" -> n;
                case "ecl" -> Math.max(i, n);
                case "ecr" -> Math.min(i, n);
                case "rc16" -> (n & 1) * 2 + (i & 1);
                default -> selector >>> 4 * i & 7;
            };
            long chosen = both.shiftRight(8 * choice).longValue() & 0xff;
            boolean spreadsSign = type().equals("b32") && (selector >>> 4 * i & 8) != 0;
            result |= (spreadsSign ? (chosen & 0x80) != 0 ? 0xff : 0 : chosen) << 8 * i;
        }
        return BigInteger.valueOf(result);
    }

    private static BigInteger lookUp(long[] bits) {
        long result = 0;
        for (int i = 0; i < 32; i++) {
            int index = (int) ((bits[0] >>> i & 1) << 2 | (bits[1] >>> i & 1) << 1 | bits[2] >>> i & 1);
            result |= (bits[3] >>> index & 1) << i;
        }
        return BigInteger.valueOf(result);
    }

    private BigInteger dot(long[] bits) {
        boolean two = name.equals("dp2a");
        int first = two ? 1 : 0;
        String a = words.get(first);
        String b = words.get(first + 1);
        long sum = (int) bits[2];
        for (int i = 0; i < (two ? 2 : 4); i++) {
            int widthA = two ? 16 : 8;
            long x = number(bits[0] >>> widthA * i, a.charAt(0) + "" + widthA).longValue();
            int at = two && has("hi") ? i + 2 : i;
            sum += x * number(bits[1] >>> 8 * at, b.charAt(0) + "8").longValue();
        }
        return BigInteger.valueOf(sum);
    }

    // Conversions.

    private Optional<Answer> convert(long bits) {
        String to = words.get(words.size() - 2);
        String from = words.getLast();
        BinaryFormat target = BinaryFormat.of(to);
        BinaryFormat source = BinaryFormat.of(from);
        if (to.equals("tf32")) {
            return Optional.of(tf32(bits));
        }
        if (source == null && target == null) {
            BigInteger value = number(bits, from);
            return Optional.of(extended(has("sat") ? clamped(value, to) : value, to));
        }
        if (source == null) {
            return Optional.of(Answer.exactly(target.round(new BigDecimal(number(bits, from)), rounding(), false)));
        }
        double x = source.decode(bits);
        x = source == BinaryFormat.F32 || target == BinaryFormat.F32 && source != BinaryFormat.F64 ? flush(x, BinaryFormat.F32) : x;
        if (target == null) {
            return Optional.of(toWhole(x, to));
        }
        boolean toWhole = words.stream().anyMatch(word -> word.matches("r[nzmp]i"));
        return Optional.of(narrowed(toWhole ? integral(x) : x, target));
    }

    /// A rounded number, as every conversion to a floating-point type ends.
    Answer narrowed(double x, BinaryFormat target) {
        if (Double.isNaN(x)) {
            return Answer.exactly(has("sat") ? 0 : Double.NaN);
        }
        double rounded = Double.isInfinite(x) ? x : target.round(new BigDecimal(x), rounding(), 1 / x < 0);
        if (has("satfinite") && Math.abs(rounded) > target.largest()) {
            rounded = Math.copySign(target.largest(), rounded);
        }
        return finish(rounded, target == BinaryFormat.F16 ? BinaryFormat.F64 : target);
    }

    private double integral(double x) {
        if (!Double.isFinite(x)) {
            return x;
        }
        double result = new BigDecimal(x).setScale(0, decimalRounding()).doubleValue();
        return result == 0 ? Math.copySign(0, x) : result;
    }

    private RoundingMode decimalRounding() {
        return switch (rounding()) {
            case "rz" -> RoundingMode.DOWN;
            case "rm" -> RoundingMode.FLOOR;
            case "rp" -> RoundingMode.CEILING;
            default -> RoundingMode.HALF_EVEN;
        };
    }

    private Answer toWhole(double x, String to) {
        if (Double.isNaN(x)) {
            return extended(BigInteger.ZERO, to);
        }
        BigInteger max = BigInteger.TWO.pow(200);
        BigInteger value = Double.isInfinite(x) ? x > 0 ? max : max.negate()
                : new BigDecimal(x).setScale(0, decimalRounding()).toBigInteger();
        return extended(clamped(value, to), to);
    }

    private static BigInteger clamped(BigInteger value, String type) {
        int width = width(type);
        boolean signed = type.startsWith("s");
        BigInteger max = BigInteger.TWO.pow(signed ? width - 1 : width).subtract(BigInteger.ONE);
        BigInteger min = signed ? max.negate().subtract(BigInteger.ONE) : BigInteger.ZERO;
        return value.max(min).min(max);
    }

    /// A number in a register of at least 16 bits.
    private static Answer extended(BigInteger value, String type) {
        BigInteger wrapped = number(value.longValue(), type);
        return Answer.bits(wrapped, Math.max(16, width(type)));
    }

    private Answer tf32(long bits) {
        double x = BinaryFormat.F32.decode(bits);
        if (!Double.isFinite(x)) {
            return Double.isNaN(x) ? Answer.OPEN : new Answer(bits & 0xffffffffL, 0, 0, 0);
        }
        // ten bits of fraction, ties away from zero: the eleventh bit is added, whatever follows
        return new Answer((bits + 0x1000) & 0xffffe000L, 0, 0, 0);
    }
}
