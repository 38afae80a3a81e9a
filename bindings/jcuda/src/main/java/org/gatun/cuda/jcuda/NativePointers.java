package org.gatun.cuda.jcuda;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import jcuda.NativePointerObject;
import jcuda.Pointer;

/// The numbers in JCuda's handle objects. JCuda has no public way from a number to a handle, nor back: its fields are read and
/// written here.
final class NativePointers {
    private static final VarHandle POINTER = field(NativePointerObject.class, "nativePointer");
    private static final VarHandle OFFSET = field(Pointer.class, "byteOffset");

    private NativePointers() {}

    /// JCuda is no module with a descriptor, so all of it is open to reflection.
    private static VarHandle field(Class<?> type, String name) {
        try {
            return MethodHandles.privateLookupIn(type, MethodHandles.lookup()).findVarHandle(type, name, long.class);
        } catch (ReflectiveOperationException e) {
            throw new LinkageError(type.getName() + "." + name + " of JCuda cannot be reached", e);
        }
    }

    static long value(NativePointerObject handle) {
        return (long) POINTER.get(handle);
    }

    static long address(Pointer pointer) {
        return value(pointer) + (long) OFFSET.get(pointer);
    }

    /// @param fresh of the wanted type, given back
    static <T extends NativePointerObject> T set(T fresh, long value) {
        POINTER.set(fresh, value);
        return fresh;
    }
}
