package org.gatun.cuda.jcuda;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import jcuda.NativePointerObject;

/// JCuda's objects for the handles that were used last, so that a launch need not make them. Thread-safe.
///
/// A table of fixed size without chains: a handle whose place another one took is wrapped anew. An object says nothing but its
/// handle's number, so one that outlives what the handle stood for is still right when the driver gives the number out again.
final class HandleCache<T extends NativePointerObject> {
    private static final int BITS = 10;

    private final AtomicReferenceArray<T> objects = new AtomicReferenceArray<>(1 << BITS);
    private final Supplier<T> make;

    HandleCache(Supplier<T> make) {
        this.make = make;
    }

    /// The object of a handle; not to be given to anyone who could write to it.
    T of(long handle) {
        // Fibonacci hashing: handles are addresses, whose low bits are alike.
        int place = (int) (handle * 0x9E3779B97F4A7C15L >>> Long.SIZE - BITS);
        T known = objects.getAcquire(place);
        if (known != null && NativePointers.value(known) == handle) {
            return known;
        }
        T made = NativePointers.set(make.get(), handle);
        objects.setRelease(place, made);
        return made;
    }
}
