package org.gatun.template;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.Function;
import java.util.function.Supplier;

/// What a template computes with. Nothing but these can be reached from a template; all are immutable but for
/// [Namespace], and the ones that are read once or count: [Stream], [Cycler], [Joiner] and [Loop].
sealed interface Value {

    /// The one value of nothing.
    enum None implements Value {
        NONE
    }

    /// What a name, key or element gives that is not there. It prints as nothing and is false; most else refuses it.
    ///
    /// @param why what to say where it is refused
    record Undefined(String why) implements Value {}

    enum Bool implements Value {
        FALSE, TRUE;

        static Bool of(boolean value) {
            return value ? TRUE : FALSE;
        }
    }

    /// An integer of at most [Integers#MAX_DIGITS] digits.
    record Int(BigInteger value) implements Value {
        Int(long value) {
            this(BigInteger.valueOf(value));
        }
    }

    record Real(double value) implements Value {}

    /// A string.
    ///
    /// @param isMarkup whether it is HTML already, after `safe` or `escape`: what is added to it is escaped
    record Text(String value, boolean isMarkup) implements Value {
        static final Text EMPTY = new Text("");

        Text(String value) {
            this(value, false);
        }
    }

    enum SequenceKind {
        LIST, TUPLE,
        /// A tuple of two of the filter `groupby`, whose elements have names.
        GROUP;
    }

    record Sequence(SequenceKind kind, List<Value> elements) implements Value {
        static Sequence list(List<Value> elements) {
            return new Sequence(SequenceKind.LIST, Collections.unmodifiableList(elements));
        }

        static Sequence tuple(Value... elements) {
            return new Sequence(SequenceKind.TUPLE, List.of(elements));
        }

        static Sequence tuple(List<Value> elements) {
            return new Sequence(SequenceKind.TUPLE, Collections.unmodifiableList(elements));
        }

        boolean isList() {
            return kind == SequenceKind.LIST;
        }
    }

    /// What `range` gives.
    record Range(long start, long stop, long step) implements Value {
        /// No bound and no step is larger.
        static final long MAX_BOUND = 1L << 53;

        int length() {
            long span = step > 0 ? stop - start : start - stop;
            return span <= 0 ? 0 : Math.toIntExact((span - 1) / Math.abs(step) + 1);
        }

        Value at(int index) {
            return new Int(start + index * step);
        }
    }

    /// A map in the order in which keys came.
    final class Dict implements Value {
        /// A key as it was written, and what it leads to.
        record Entry(Value key, Value value) {}

        private final Map<Object, Entry> entries;

        private Dict(Map<Object, Entry> entries) {
            this.entries = entries;
        }

        Map<Object, Entry> entries() {
            return Collections.unmodifiableMap(entries);
        }

        int size() {
            return entries.size();
        }

        Value get(Object hash) {
            Entry entry = entries.get(hash);
            return entry == null ? null : entry.value();
        }

        Value get(String key) {
            return get((Object) key);
        }

        /// Fills a map, which cannot change after.
        static final class Builder {
            private final Map<Object, Entry> entries = new LinkedHashMap<>();

            /// @param hash what equal keys have in common: see [Operators#hash]
            Builder put(Object hash, Value key, Value value) {
                Entry before = entries.get(hash);
                entries.put(hash, new Entry(before == null ? key : before.key(), value));
                return this;
            }

            Builder put(String key, Value value) {
                return put(key, new Text(key), value);
            }

            Builder putAll(Dict other) {
                other.entries.forEach((hash, entry) -> put(hash, entry.key(), entry.value()));
                return this;
            }

            int size() {
                return entries.size();
            }

            Dict build() {
                return new Dict(entries);
            }
        }
    }

    enum ViewKind {
        ITEMS, KEYS, VALUES
    }

    /// What the methods `items`, `keys` and `values` of a map give.
    record View(ViewKind kind, Dict dict) implements Value {}

    /// Elements that can be read once, as filters give them.
    final class Stream implements Value, Iterator<Value> {
        private final Iterator<Value> elements;

        Stream(Iterator<Value> elements) {
            this.elements = elements;
        }

        @Override
        public boolean hasNext() {
            return elements.hasNext();
        }

        @Override
        public Value next() {
            return elements.next();
        }

        /// Elements that come one by one, until there is none.
        ///
        /// @param budget bounds how deep streams may stand on streams
        /// @param source gives null at the end
        static Stream of(Budget budget, Supplier<Value> source) {
            budget.bytes(200);
            return new Stream(new Iterator<>() {
                private Value ahead;
                private boolean isAtEnd;

                @Override
                public boolean hasNext() {
                    if (ahead == null && !isAtEnd) {
                        budget.enter();
                        ahead = source.get();
                        budget.leave();
                        isAtEnd = ahead == null;
                    }
                    return !isAtEnd;
                }

                @Override
                public Value next() {
                    if (!hasNext()) {
                        throw new NoSuchElementException();
                    }
                    Value next = ahead;
                    ahead = null;
                    return next;
                }
            });
        }
    }

    /// The one thing whose attributes `set` can change.
    final class Namespace implements Value {
        private final Map<String, Value> attributes = new LinkedHashMap<>();

        Map<String, Value> attributes() {
            return attributes;
        }
    }

    /// A method of a value, or a function that all templates have.
    record Callable(String name, Function<Arguments, Value> body) implements Value {}

    /// The template itself, `self`: its blocks, as functions.
    record Blocks(Map<String, Callable> functions) implements Value {}

    /// A macro, or the body of a call block.
    ///
    /// @param name empty for the body of a call block
    record Macro(String name, List<String> parameters, boolean hasMoreNamed, boolean hasMore, boolean hasCaller,
            Function<Arguments, Value> body) implements Value {}

    /// Gives its values one after the other, and begins anew.
    final class Cycler implements Value {
        private final List<Value> values;
        private int at;

        Cycler(List<Value> values) {
            this.values = new ArrayList<>(values);
        }

        Value current() {
            return values.get(at);
        }

        List<Value> values() {
            return values;
        }

        int position() {
            return at;
        }

        Value next() {
            Value value = current();
            at = (at + 1) % values.size();
            return value;
        }

        void reset() {
            at = 0;
        }
    }

    /// Gives nothing the first time, and a separator from then on.
    final class Joiner implements Value {
        private final Value separator;
        private boolean wasUsed;

        Joiner(Value separator) {
            this.separator = separator;
        }

        Value separator() {
            return separator;
        }

        boolean wasUsed() {
            return wasUsed;
        }

        Value next() {
            Value value = wasUsed ? separator : Text.EMPTY;
            wasUsed = true;
            return value;
        }
    }

    /// Where a `for` is: `loop` within it.
    final class Loop implements Value {
        private final int depth0;
        private final Function<Value, Value> recurse;
        private Iterator<Value> elements;
        private int length;
        private int index0 = -1;
        private Value before;
        private Value current;
        private Value after;
        private Value seen;

        /// @param length how many elements there are, -1 if nobody knows
        /// @param recurse what the loop does when called, null if it is not recursive
        Loop(Iterator<Value> elements, int length, int depth0, Function<Value, Value> recurse) {
            this.elements = elements;
            this.length = length;
            this.depth0 = depth0;
            this.recurse = recurse;
        }

        /// The next element, null at the end.
        Value advance() {
            Value next = peek();
            after = null;
            if (next != null) {
                index0++;
                before = current;
                current = next;
            }
            return next;
        }

        /// The element after the present one, null at the end. Asking reads one ahead.
        Value peek() {
            if (after == null && elements.hasNext()) {
                after = elements.next();
            }
            return after;
        }

        int index0() {
            return index0;
        }

        int depth0() {
            return depth0;
        }

        /// How many elements there are. Asking reads all that are left, where nobody knows.
        ///
        /// @param budget pays for them
        int length(Budget budget) {
            if (length < 0) {
                List<Value> rest = new ArrayList<>();
                while (elements.hasNext()) {
                    budget.list(1);
                    rest.add(elements.next());
                }
                length = index0 + 1 + (after == null ? 0 : 1) + rest.size();
                elements = rest.iterator();
            }
            return length;
        }

        Value before() {
            return before;
        }

        Function<Value, Value> recurse() {
            return recurse;
        }

        /// What [#see] was told last.
        Value seen() {
            return seen;
        }

        void see(Value value) {
            seen = value;
        }
    }
}
