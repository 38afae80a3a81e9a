package org.gatun.constraint;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A pool of regular expressions over bytes, matched by derivatives: Brzozowski, *Derivatives of Regular Expressions*, 1964; Owens, Reppy and
/// Turon, *Regular-expression derivatives re-examined*, 2009. Conjunction and complement cost nothing, and repetition keeps its counts, so
/// `.{0,100000}` is one node.
///
/// An expression is the number of a node. Equal nodes are one, unions and conjunctions are sorted sets without duplicates, so that the
/// derivatives of an expression are few and an automaton of them ([Lexer]) is found finished or grows as it is walked.
///
/// Nodes are never freed: [#MAX_NODES] bounds them. One thread at a time.
final class Regexes {
    /// Matches nothing.
    static final int EMPTY = 0;
    /// Matches the text of no bytes.
    static final int EPSILON = 1;
    /// As a largest count: any number.
    static final int UNBOUNDED = Integer.MAX_VALUE;
    /// Most nodes of a pool, some 100 MB.
    static final int MAX_NODES = 2_000_000;

    /// Most operands of them together, some 64 MB.
    private static final int MAX_OPERANDS = 16_000_000;
    /// Most parts in a row that may be nothing: the time of a derivative grows with their square.
    static final int MAX_OPTIONAL = 300;

    private static final byte CLASS = 2;
    private static final byte CONCAT = 3;
    private static final byte UNION = 4;
    private static final byte CONJUNCTION = 5;
    private static final byte COMPLEMENT = 6;
    private static final byte REPEAT = 7;
    private static final byte MULTIPLE = 8;

    private byte[] kinds = new byte[256];
    private int[][] operands = new int[256][];   // class: its set; repeat: of what, least, most; else expressions
    private boolean[] nullable = new boolean[256];
    private boolean[] positive = new boolean[256]; // has neither conjunction nor complement: matches something unless EMPTY
    private short[] optionals = new short[256];   // parts at the beginning of a concatenation that may be nothing
    private int size;
    private int operandCount;
    private int[] table = new int[1024];         // node + 1 by hash
    private final List<BitSet> sets = new ArrayList<>();
    private final Map<BitSet, Integer> setNumbers = new HashMap<>();
    private final LongTable derivatives = new LongTable();
    private final ByteClasses classes = new ByteClasses();
    private final RegexSearch search = new RegexSearch(this);

    /// Matches every text of bytes.
    final int all;

    Regexes() {
        node((byte) 0, new int[0], false, true);
        node((byte) 1, new int[0], true, true);
        all = node(COMPLEMENT, new int[] {EMPTY}, true, true);
    }

    /// Which bytes no expression of this pool tells apart.
    ByteClasses classes() {
        return classes;
    }

    /// One byte of a set.
    int bytes(BitSet set) {
        if (set.isEmpty()) {
            return EMPTY;
        }
        Integer known = setNumbers.get(set);
        if (known == null) {
            known = sets.size();
            sets.add((BitSet) set.clone());
            setNumbers.put(sets.getLast(), known);
            classes.refine(set);
        }
        return node(CLASS, new int[] {known}, false, true);
    }

    /// One byte from `first` to `last`.
    int bytes(int first, int last) {
        BitSet set = new BitSet(256);
        set.set(first, last + 1);
        return bytes(set);
    }

    /// These bytes in a row.
    int literal(byte... text) {
        int regex = EPSILON;
        for (int i = text.length - 1; i >= 0; i--) {
            regex = concat(bytes(text[i] & 0xff, text[i] & 0xff), regex);
        }
        return regex;
    }

    /// One after the other.
    int concat(int... parts) {
        int regex = EPSILON;
        for (int i = parts.length - 1; i >= 0; i--) {
            regex = concat(parts[i], regex);
        }
        return regex;
    }

    private int concat(int first, int second) {
        if (first == EMPTY || second == EMPTY) {
            return EMPTY;
        }
        if (first == EPSILON) {
            return second;
        }
        if (second == EPSILON) {
            return first;
        }
        if (kinds[first] == CONCAT) {
            return concat(operands[first][0], concat(operands[first][1], second));
        }
        int optional = nullable[first] ? 1 + optionals[second] : 0;
        if (optional > MAX_OPTIONAL) {
            throw new IllegalArgumentException("a regular expression of more than " + MAX_OPTIONAL
                    + " optional parts in a row: expected a count, such as (a?b?){0,1000}");
        }
        int concat = node(CONCAT, new int[] {first, second}, nullable[first] && nullable[second], positive[first] && positive[second]);
        optionals[concat] = (short) optional;
        return concat;
    }

    /// Any of these.
    int union(int... parts) {
        return combine(UNION, parts, EMPTY, all);
    }

    /// All of these at once.
    int conjunction(int... parts) {
        return combine(CONJUNCTION, parts, all, EMPTY);
    }

    private int combine(byte kind, int[] parts, int neutral, int dominant) {
        int[] flat = new int[parts.length];
        int count = 0;
        BitSet merged = null; // of all classes: one node
        for (int part : parts) {
            int[] inner = kinds[part] == kind ? operands[part] : null;
            for (int i = 0; i < (inner == null ? 1 : inner.length); i++) {
                int each = inner == null ? part : inner[i];
                if (each == dominant) {
                    return dominant;
                }
                if (kinds[each] == CLASS) {
                    BitSet set = sets.get(operands[each][0]);
                    if (merged == null) {
                        merged = (BitSet) set.clone();
                    } else if (kind == UNION) {
                        merged.or(set);
                    } else {
                        merged.and(set);
                    }
                } else if (each != neutral) {
                    flat = count == flat.length ? Arrays.copyOf(flat, 2 * count + 1) : flat;
                    flat[count++] = each;
                }
            }
        }
        if (merged != null) {
            int bytes = bytes(merged);
            if (bytes == dominant) {
                return dominant;
            }
            flat = count == flat.length ? Arrays.copyOf(flat, count + 1) : flat;
            if (bytes != neutral) {
                flat[count++] = bytes;
            }
        }
        return sorted(kind, Arrays.copyOf(flat, count), neutral);
    }

    private int sorted(byte kind, int[] parts, int neutral) {
        Arrays.sort(parts);
        int count = 0;
        boolean every = true;
        boolean some = false;
        boolean plain = kind == UNION;
        for (int part : parts) {
            if (count == 0 || parts[count - 1] != part) {
                parts[count++] = part;
                every &= nullable[part];
                some |= nullable[part];
                plain &= positive[part];
            }
        }
        if (count < 2) {
            return count == 0 ? neutral : parts[0];
        }
        return node(kind, Arrays.copyOf(parts, count), kind == UNION ? some : every, plain);
    }

    /// Every text of bytes but these.
    int complement(int of) {
        return kinds[of] == COMPLEMENT ? operands[of][0] : node(COMPLEMENT, new int[] {of}, !nullable[of], false);
    }

    /// An expression some times in a row.
    ///
    /// @param most [#UNBOUNDED] for any number
    int repeat(int of, int least, int most) {
        if (most == 0 || of == EPSILON || of == EMPTY) {
            return of == EMPTY && least > 0 ? EMPTY : EPSILON;
        }
        int from = nullable[of] ? 0 : least;
        if (from == 1 && most == 1 || kinds[of] == REPEAT && from == 0 && operands[of][1] == 0 && operands[of][2] == UNBOUNDED) {
            return of;
        }
        return node(REPEAT, new int[] {of, from, most}, from == 0, positive[of]);
    }

    /// Digits that are a multiple of a number, as [Multiple] has them.
    int multiple(Multiple state) {
        for (int each : ".0123456789".getBytes(StandardCharsets.US_ASCII)) {
            bytes(each, each); // a class of its own
        }
        return state.isDead() ? EMPTY : node(MULTIPLE, state.operands(), state.isMultiple(), true);
    }

    /// An expression or nothing.
    int optional(int of) {
        return union(of, EPSILON);
    }

    /// Whether the text of no bytes matches.
    boolean isNullable(int regex) {
        return nullable[regex];
    }

    /// What is to match behind a byte.
    int derivative(int regex, int of) {
        int representative = classes.representative(classes.of(of));
        return derive(regex, representative);
    }

    private int derive(int regex, int of) {
        if (regex <= EPSILON) {
            return EMPTY;
        }
        if (kinds[regex] == CLASS) {
            return sets.get(operands[regex][0]).get(of) ? EPSILON : EMPTY;
        }
        long key = (long) regex << 8 | of;
        int known = derivatives.get(key);
        if (known >= 0) {
            return known;
        }
        int[] parts = operands[regex];
        int derivative = switch (kinds[regex]) {
            case CONCAT -> {
                int first = concat(derive(parts[0], of), parts[1]);
                yield nullable[parts[0]] ? union(first, derive(parts[1], of)) : first;
            }
            case UNION -> union(deriveAll(parts, of));
            case CONJUNCTION -> conjunction(deriveAll(parts, of));
            case COMPLEMENT -> complement(derive(parts[0], of));
            case MULTIPLE -> multiple(Multiple.of(parts).behind(of));
            default -> concat(derive(parts[0], of),
                    repeat(parts[0], Math.max(0, parts[1] - 1), parts[2] == UNBOUNDED ? UNBOUNDED : parts[2] - 1));
        };
        derivatives.put(key, derivative);
        return derivative;
    }

    private int[] deriveAll(int[] parts, int of) {
        int[] derived = new int[parts.length];
        for (int i = 0; i < parts.length; i++) {
            derived[i] = derive(parts[i], of);
        }
        return derived;
    }

    /// Whether a text matches.
    boolean matches(int regex, byte[] text) {
        int rest = regex;
        for (byte each : text) {
            rest = derivative(rest, each & 0xff);
        }
        return nullable[rest];
    }

    /// Whether some text matches.
    ///
    /// @throws IllegalArgumentException if that is too much to find out
    boolean matchesSomething(int regex) {
        return positive[regex] ? regex != EMPTY : search.matchesSomething(regex);
    }

    /// Whether some text longer than nothing matches.
    boolean continues(int regex) {
        return positive[regex] ? regex > EPSILON : search.continues(regex);
    }

    /// The same, or [#EMPTY] if no text matches.
    int live(int regex) {
        return matchesSomething(regex) ? regex : EMPTY;
    }

    /// Walks over derivatives.
    RegexSearch search() {
        return search;
    }

    /// Whether it has neither conjunction nor complement, so that it matches something unless it is [#EMPTY].
    boolean isPositive(int regex) {
        return positive[regex];
    }

    /// Whether `count` of `unit` in a row, and fewer, are the start of a match, as far as the form of the expression shows it.
    boolean beginsWithRepeats(int regex, int unit, int count) {
        return switch (kinds[regex]) {
            case CONCAT -> positive[operands[regex][1]] && beginsWithRepeats(operands[regex][0], unit, count);
            case REPEAT -> operands[regex][0] == unit && operands[regex][2] >= count;
            case UNION -> Arrays.stream(operands[regex]).anyMatch(each -> beginsWithRepeats(each, unit, count));
            case CONJUNCTION -> beginsEndlessly(operands[regex], unit);
            default -> false;
        };
    }

    /// Whether all of some expressions but one are complements of finite languages, which take little away from one that begins with any number
    /// of `unit`.
    private boolean beginsEndlessly(int[] parts, int unit) {
        return Arrays.stream(parts).filter(part -> beginsWithRepeats(part, unit, UNBOUNDED)).count() == 1
                && Arrays.stream(parts).allMatch(part -> beginsWithRepeats(part, unit, UNBOUNDED)
                        || kinds[part] == COMPLEMENT && isFinite(operands[part][0]));
    }

    /// Whether the form of an expression shows that it matches finitely many texts.
    boolean isFinite(int regex) {
        return positive[regex] && switch (kinds[regex]) {
            case CONCAT, UNION -> Arrays.stream(operands[regex]).allMatch(this::isFinite);
            case REPEAT -> operands[regex][2] != UNBOUNDED && isFinite(operands[regex][0]);
            case MULTIPLE -> false;
            default -> true;
        };
    }

    private int node(byte kind, int[] parts, boolean isNullable, boolean isPositive) {
        int slot = slot(kind, parts);
        while (table[slot] != 0) {
            int known = table[slot] - 1;
            if (kinds[known] == kind && Arrays.equals(operands[known], parts)) {
                return known;
            }
            slot = slot + 1 & table.length - 1;
        }
        operandCount += parts.length;
        if (size == MAX_NODES || operandCount > MAX_OPERANDS) {
            throw new IllegalArgumentException("regular expressions of more than " + MAX_NODES + " nodes or " + MAX_OPERANDS
                    + " parts: expected a simpler constraint");
        }
        if (size == kinds.length) {
            grow();
        }
        kinds[size] = kind;
        operands[size] = parts;
        nullable[size] = isNullable;
        positive[size] = isPositive;
        table[slot] = ++size;
        if (2 * size > table.length) {
            rehash();
        }
        return size - 1;
    }

    private int slot(byte kind, int[] parts) {
        int hash = (31 * Arrays.hashCode(parts) + kind) * 0x9E3779B9;
        return (hash ^ hash >>> 15) & table.length - 1;
    }

    private void grow() {
        kinds = Arrays.copyOf(kinds, 2 * size);
        operands = Arrays.copyOf(operands, 2 * size);
        nullable = Arrays.copyOf(nullable, 2 * size);
        positive = Arrays.copyOf(positive, 2 * size);
        optionals = Arrays.copyOf(optionals, 2 * size);
    }

    private void rehash() {
        table = new int[2 * table.length];
        for (int id = 0; id < size; id++) {
            int slot = slot(kinds[id], operands[id]);
            while (table[slot] != 0) {
                slot = slot + 1 & table.length - 1;
            }
            table[slot] = id + 1;
        }
    }
}
