package org.gatun.cuda.panama;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The options of `cuModuleLoadDataEx` as it takes them: an array of names, and one of values, each as wide as a pointer.
final class JitOptionArrays {
    private static final int MAX = 16;

    private final MemorySegment options;
    private final MemorySegment values;
    private int count;

    JitOptionArrays(Arena arena) {
        options = arena.allocate(ValueLayout.JAVA_INT, MAX);
        values = arena.allocate(ValueLayout.JAVA_LONG, MAX);
    }

    JitOptionArrays add(int option, long value) {
        options.setAtIndex(ValueLayout.JAVA_INT, count, option);
        values.setAtIndex(ValueLayout.JAVA_LONG, count, value);
        count++;
        return this;
    }

    int count() {
        return count;
    }

    MemorySegment options() {
        return options;
    }

    MemorySegment values() {
        return values;
    }
}
