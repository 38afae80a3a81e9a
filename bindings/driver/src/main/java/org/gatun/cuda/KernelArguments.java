package org.gatun.cuda;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// The arguments of a kernel, in a block that is made once and used for many launches. They are its parameters, by number; or, where it
/// takes a [KernelStructure], the fields of that, by name, each set once.
///
/// A launch copies them, so parameters may be rewritten as soon as it returns. Used by one thread at a time. Setting and launching
/// allocate nothing, and launching looks nothing up. The block lies outside the heap and goes when the object does; it need not be closed.
public final class KernelArguments {
    private final CudaFunction function;
    private final CudaContext context;
    private final List<KernelParameter> parameters;
    private final long[] places; // of the parameters
    private final String[] names; // of the arguments
    private final KernelParameter.Type[] types;
    private final long[] offsets;
    private final MemorySegment values;
    private final MemorySegment pointers;
    private final DeviceBuffer[] buffers;
    private long unset;

    KernelArguments(CudaFunction function) {
        this.function = function;
        context = function.module().context();
        parameters = function.parameters();
        places = new long[parameters.size()];
        long bytes = 0;
        for (int i = 0; i < places.length; i++) {
            int alignment = Math.max(Long.BYTES, parameters.get(i).byteAlignment());
            places[i] = (bytes + alignment - 1) / alignment * alignment;
            bytes = places[i] + parameters.get(i).byteSize();
        }
        Optional<List<KernelStructure.Field>> fields = function.structure().map(KernelStructure::fields);
        names = fields.stream().flatMap(List::stream).map(KernelStructure.Field::name).toArray(String[]::new);
        types = fields.map(list -> list.stream().map(KernelStructure.Field::type))
                .orElseGet(() -> parameters.stream().map(KernelParameter::type)).toArray(KernelParameter.Type[]::new);
        offsets = fields.map(list -> list.stream().mapToLong(KernelStructure.Field::byteOffset).toArray()).orElse(places);
        if (types.length > Long.SIZE) {
            throw new IllegalArgumentException("%s has %d arguments: expected %d at most".formatted(function, types.length, Long.SIZE));
        }
        buffers = new DeviceBuffer[types.length];
        unset = types.length == 0 ? 0 : -1L >>> (Long.SIZE - types.length);
        // Read by the driver during the call only. The call keeps the pointers alive and, being of one arena, the values.
        Arena arena = Arena.ofAuto();
        values = arena.allocate(Math.max(Long.BYTES, bytes), 128);
        pointers = arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, places.length));
        for (int i = 0; i < places.length; i++) {
            pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + places[i]);
        }
    }

    /// Passes the address of a part of a buffer in a field.
    ///
    /// @throws IllegalStateException if the buffer is closed, or the field is set already
    /// @throws IllegalArgumentException if there is no such field, it is no address, or the buffer is another context's
    public KernelArguments set(String field, DeviceSlice slice) {
        return set(indexOf(field), slice);
    }

    /// Passes the address of a part of a buffer in a field, or a null pointer where there is none.
    ///
    /// @throws IllegalStateException if the buffer is closed, or the field is set already
    /// @throws IllegalArgumentException if there is no such field, it is no address, or the buffer is another context's
    public KernelArguments set(String field, Optional<DeviceSlice> slice) {
        return slice.isPresent() ? set(field, slice.get()) : setNull(field);
    }

    /// Passes a null pointer in a field.
    ///
    /// @throws IllegalStateException if the field is set already
    /// @throws IllegalArgumentException if there is no such field, or it is no address
    public KernelArguments setNull(String field) {
        int index = indexOf(field);
        check(index, KernelParameter.Type.ADDRESS, "a null pointer");
        values.set(ValueLayout.JAVA_LONG_UNALIGNED, offsets[index], 0L);
        return this;
    }

    /// Passes a 64-bit number in a field.
    ///
    /// @throws IllegalStateException if the field is set already
    /// @throws IllegalArgumentException if there is no such field, or it is no 64-bit number
    public KernelArguments set(String field, long value) {
        return set(indexOf(field), value);
    }

    /// Passes a 32-bit whole number in a field.
    ///
    /// @throws IllegalStateException if the field is set already
    /// @throws IllegalArgumentException if there is no such field, or it is no 32-bit whole number
    public KernelArguments set(String field, int value) {
        return set(indexOf(field), value);
    }

    /// Passes an f32 in a field.
    ///
    /// @throws IllegalStateException if the field is set already
    /// @throws IllegalArgumentException if there is no such field, or it is no f32
    public KernelArguments set(String field, float value) {
        return set(indexOf(field), value);
    }

    /// The number of a field that is to be set.
    private int indexOf(String field) {
        int index = Arrays.asList(names).indexOf(field);
        if (index < 0) {
            throw new IllegalArgumentException("argument %s of %s: expected one of %s".formatted(field, function, Arrays.toString(names)));
        }
        if ((unset >>> index & 1) == 0) {
            throw new IllegalStateException("argument " + field + " of " + function + " is set already");
        }
        return index;
    }

    /// Passes a buffer's address.
    ///
    /// @throws IllegalStateException if the buffer is closed
    /// @throws IllegalArgumentException if the parameter has not 64 bits or the buffer is another context's
    public KernelArguments set(int index, DeviceBuffer buffer) {
        return set(index, buffer, 0);
    }

    /// Passes an address inside a buffer.
    ///
    /// @param byteOffset from the buffer's beginning; its end is allowed
    /// @throws IllegalStateException if the buffer is closed
    /// @throws IllegalArgumentException if the parameter has not 64 bits or the buffer is another context's
    /// @throws IndexOutOfBoundsException if the offset is not inside
    public KernelArguments set(int index, DeviceBuffer buffer, long byteOffset) {
        check(index, names.length > 0 ? KernelParameter.Type.ADDRESS : KernelParameter.Type.BITS_64, "a device buffer");
        if (buffer.context() != context) {
            throw new IllegalArgumentException("argument " + label(index) + " of " + function + ": " + buffer
                    + " belongs to another context");
        }
        values.set(ValueLayout.JAVA_LONG_UNALIGNED, offsets[index], buffer.address(byteOffset));
        keep(index, buffer);
        return this;
    }

    /// Passes the address of a part of a buffer.
    ///
    /// @throws IllegalStateException if the buffer is closed
    /// @throws IllegalArgumentException if the parameter has not 64 bits or the buffer is another context's
    public KernelArguments set(int index, DeviceSlice slice) {
        return set(index, slice.buffer(), slice.byteOffset());
    }

    /// Passes no address: a null pointer.
    public KernelArguments setNull(int index) {
        return set(index, 0L);
    }

    /// Passes a 64-bit number, or an address that is not a [DeviceBuffer]'s.
    ///
    /// @throws IllegalArgumentException if the parameter is not a 64-bit one
    public KernelArguments set(int index, long value) {
        check(index, KernelParameter.Type.BITS_64, "a long");
        values.set(ValueLayout.JAVA_LONG_UNALIGNED, offsets[index], value);
        keep(index, null);
        return this;
    }

    /// Most launches repeat the buffer; storing a reference costs the garbage collector's barrier, comparing does not.
    private void keep(int index, DeviceBuffer buffer) {
        if (buffers[index] != buffer) {
            buffers[index] = buffer;
        }
    }

    /// @throws IllegalArgumentException if the parameter is not a 32-bit whole number
    public KernelArguments set(int index, int value) {
        check(index, KernelParameter.Type.BITS_32, "an int");
        values.set(ValueLayout.JAVA_INT_UNALIGNED, offsets[index], value);
        return this;
    }

    /// @throws IllegalArgumentException if the parameter is not an f32
    public KernelArguments set(int index, float value) {
        check(index, KernelParameter.Type.FLOAT, "a float");
        values.set(ValueLayout.JAVA_FLOAT_UNALIGNED, offsets[index], value);
        return this;
    }

    /// @throws IllegalArgumentException if the parameter is not an f64
    public KernelArguments set(int index, double value) {
        check(index, KernelParameter.Type.DOUBLE, "a double");
        values.set(ValueLayout.JAVA_DOUBLE, offsets[index], value);
        return this;
    }

    /// Passes a structure by value, such as a tensor map.
    ///
    /// @throws IllegalArgumentException if the parameter is not a structure of this size
    public KernelArguments set(int index, MemorySegment bytes) {
        check(index, KernelParameter.Type.BYTES, "a structure");
        if (bytes.byteSize() != parameters.get(index).byteSize()) {
            throw new IllegalArgumentException("argument %d of %s: found %d bytes, expected %d".formatted(index, function,
                    bytes.byteSize(), parameters.get(index).byteSize()));
        }
        MemorySegment.copy(bytes, 0, values, offsets[index], bytes.byteSize());
        return this;
    }

    private void check(int index, KernelParameter.Type given, String what) {
        if (index < 0 || index >= offsets.length) {
            throw new IllegalArgumentException("argument %d of %s: it has %d parameters".formatted(index, function,
                    offsets.length));
        }
        if (types[index] != given) {
            throw new IllegalArgumentException("argument %s of %s: found %s, expected %s".formatted(label(index), function, what,
                    types[index]));
        }
        // All were, once the first launch is done.
        if (unset != 0) {
            unset &= ~(1L << index);
        }
    }

    private String label(int index) {
        return names.length > 0 ? names[index] : Integer.toString(index);
    }

    /// @throws IllegalStateException if an argument is missing, or a buffer among them is closed
    void checkComplete() {
        // All were, once the first launch is done.
        if (unset != 0) {
            throw new IllegalStateException("argument %s of %s is not set".formatted(label(Long.numberOfTrailingZeros(unset)),
                    function));
        }
        for (DeviceBuffer buffer : buffers) {
            if (buffer != null) {
                buffer.checkOpen();
            }
        }
    }

    /// The kernel they are for.
    public CudaFunction function() {
        return function;
    }

    /// How many parameters the kernel has.
    public int count() {
        return places.length;
    }

    /// The address of each parameter's bytes: what the driver's launch takes. `[count] i64`
    public MemorySegment pointers() {
        return pointers;
    }

    /// The bytes of a parameter, little-endian.
    public MemorySegment value(int index) {
        return values.asSlice(places[index], parameters.get(index).byteSize());
    }
}
