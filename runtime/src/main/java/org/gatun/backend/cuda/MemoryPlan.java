package org.gatun.backend.cuda;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToLongFunction;
import org.gatun.plan.Value;

/// Where values lie in one piece of memory: those that are never needed at the same time may share a place.
///
/// @param offsets by value
/// @param byteSize of it all
record MemoryPlan(Map<Value, Long> offsets, long byteSize) {
    private static final long ALIGNMENT = 256;

    private record Place(Value value, int first, int last, long offset, long end) {
        private boolean meets(int otherFirst, int otherLast) {
            return first <= otherLast && otherFirst <= last;
        }
    }

    /// Plans, largest values first, each at the lowest place that is free as long as it lives.
    ///
    /// @param inputs values that are there before the first step
    /// @param kept values that are needed after the last step
    static MemoryPlan of(List<Step> steps, Collection<Value> inputs, Collection<Value> kept, ToLongFunction<Value> byteSize) {
        Map<Value, int[]> lives = new HashMap<>();
        inputs.forEach(value -> lives.put(value, new int[] {0, 0}));
        for (int i = 0; i < steps.size(); i++) {
            for (Value value : steps.get(i).touched()) {
                int step = i;
                lives.computeIfAbsent(value, _ -> new int[] {step, step})[1] = i;
            }
        }
        kept.forEach(value -> lives.get(value)[1] = steps.size());
        List<Value> order = lives.keySet().stream()
                .sorted(Comparator.comparingLong(byteSize).reversed().thenComparing(Value::id)).toList();
        List<Place> placed = new ArrayList<>();
        Map<Value, Long> offsets = new HashMap<>();
        long size = ALIGNMENT;
        for (Value value : order) {
            int[] life = lives.get(value);
            long bytes = Math.ceilDiv(byteSize.applyAsLong(value), ALIGNMENT) * ALIGNMENT;
            long offset = 0;
            for (Place place : placed) { // by offset
                if (place.meets(life[0], life[1])) {
                    if (offset + bytes <= place.offset) {
                        break;
                    }
                    offset = Math.max(offset, place.end);
                }
            }
            placed.add(new Place(value, life[0], life[1], offset, offset + bytes));
            placed.sort(Comparator.comparingLong(Place::offset));
            offsets.put(value, offset);
            size = Math.max(size, offset + bytes);
        }
        return new MemoryPlan(offsets, size);
    }
}
