package org.gatun.backend.cpu;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.List;
import java.util.Locale;

/// The functions of `native/gatun.h`. Loaded once, from the class path, for the platform at hand.
final class NativeLibrary {
    private final MethodHandle layout;
    private final MethodHandle instructionSet;
    private final MethodHandle poolOpen;
    private final MethodHandle poolClose;
    private final MethodHandle run;
    private final MethodHandle scratchBytes;
    private final MethodHandle allocate;
    private final MethodHandle free;
    private final MethodHandle packedBytes;
    private final MethodHandle pack;
    private final MethodHandle scaleBytes;
    private final MethodHandle takeScales;
    private final MethodHandle move;
    private final MethodHandle copyPage;

    /// The library, or why there is none.
    ///
    /// @param library null if it could not be loaded
    /// @param reason null if it could
    record Loaded(NativeLibrary library, String reason) {}

    private static final class Holder {
        static final Loaded LOADED = load();
    }

    static Loaded loaded() {
        return Holder.LOADED;
    }

    /// An interrupt of the thread that happens to be first must not make the kernels unavailable to all: it waits.
    private static Loaded load() {
        boolean interrupted = Thread.interrupted();
        try {
            return unpack();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private static Loaded unpack() {
        String platform = platform();
        String resource = "META-INF/gatun/" + platform + "/" + System.mapLibraryName("gatun");
        try (InputStream bytes = NativeLibrary.class.getClassLoader().getResourceAsStream(resource)) {
            if (bytes == null) {
                return new Loaded(null, "no kernels for " + platform + " on the class path (" + resource
                        + "): build with a C compiler (gcc or clang) installed");
            }
            SymbolLookup symbols = LibraryFile.load(bytes.readAllBytes(), System.mapLibraryName("gatun"), LibraryFile.places());
            NativeLibrary library = new NativeLibrary(symbols);
            return library.matchesLayouts() ? new Loaded(library, null) : new Loaded(null, resource + " is of another version: build again");
        } catch (IOException | IllegalArgumentException | IllegalCallerException e) {
            return new Loaded(null, resource + " could not be loaded: " + e.getMessage());
        }
    }

    private static String platform() {
        String name = System.getProperty("os.name").toLowerCase(Locale.ROOT);
        String system = name.startsWith("mac") ? "macos" : name.startsWith("win") ? "windows" : "linux";
        String architecture = System.getProperty("os.arch");
        return system + "-" + (architecture.equals("amd64") ? "x86_64" : architecture);
    }

    private NativeLibrary(SymbolLookup symbols) {
        layout = handle(symbols, "gatun_layout", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
        instructionSet = handle(symbols, "gatun_instruction_set", FunctionDescriptor.of(ADDRESS));
        poolOpen = handle(symbols, "gatun_pool_open", FunctionDescriptor.of(ADDRESS, JAVA_INT, ADDRESS));
        poolClose = handle(symbols, "gatun_pool_close", FunctionDescriptor.ofVoid(ADDRESS));
        run = handle(symbols, "gatun_run",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT, ADDRESS));
        scratchBytes = handle(symbols, "gatun_scratch_bytes", FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_INT));
        allocate = handle(symbols, "gatun_allocate", FunctionDescriptor.of(ADDRESS, JAVA_LONG));
        free = handle(symbols, "gatun_free", FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG));
        packedBytes = handle(symbols, "gatun_packed_bytes",
                FunctionDescriptor.of(JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_LONG));
        pack = handle(symbols, "gatun_pack",
                FunctionDescriptor.ofVoid(ADDRESS, JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS, ADDRESS));
        scaleBytes = handle(symbols, "gatun_scale_bytes", FunctionDescriptor.of(JAVA_LONG, JAVA_INT));
        takeScales = handle(symbols, "gatun_take_scales", FunctionDescriptor.ofVoid(JAVA_INT, JAVA_LONG, ADDRESS, ADDRESS));
        move = handle(symbols, "gatun_move", FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG, JAVA_LONG));
        copyPage = handle(symbols, "gatun_copy_page", FunctionDescriptor.ofVoid(ADDRESS, JAVA_INT, JAVA_INT));
    }

    private static MethodHandle handle(SymbolLookup symbols, String name, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), descriptor);
    }

    private boolean matchesLayouts() {
        List<MemoryLayout> layouts = List.of(NativeLayout.COMMAND, NativeLayout.BATCH, NativeLayout.SEGMENT, NativeLayout.KV,
                NativeLayout.KV_LAYER);
        try {
            for (int i = 0; i < layouts.size(); i++) {
                if ((int) layout.invokeExact(i) != layouts.get(i).byteSize()) {
                    return false;
                }
            }
            return true;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    String instructionSet() {
        try {
            return ((MemorySegment) instructionSet.invokeExact()).reinterpret(64).getString(0);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// Null if the pool cannot be opened.
    MemorySegment poolOpen(int threads, MemorySegment instructionSetName) {
        try {
            return (MemorySegment) poolOpen.invokeExact(threads, instructionSetName);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    void poolClose(MemorySegment pool) {
        try {
            poolClose.invokeExact(pool);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    int run(MemorySegment pool, MemorySegment commands, int count, MemorySegment batch, int maxSlots, int threads,
            MemorySegment scratch) {
        try {
            return (int) run.invokeExact(pool, commands, count, batch, maxSlots, threads, scratch);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    long scratchBytes(MemorySegment pool, int slots) {
        try {
            return (long) scratchBytes.invokeExact(pool, slots);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// Zeroed memory that the machine gives only as it is touched, unlike that of an arena; freed with the arena.
    ///
    /// @throws OutOfMemoryError if there is not so much
    MemorySegment allocate(Arena arena, long bytes) {
        try {
            MemorySegment memory = (MemorySegment) allocate.invokeExact(bytes);
            if (memory.equals(MemorySegment.NULL)) {
                throw new OutOfMemoryError(bytes + " bytes of native memory");
            }
            return memory.reinterpret(bytes, arena, segment -> free(segment, bytes));
        } catch (Error e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private void free(MemorySegment memory, long bytes) {
        try {
            free.invokeExact(memory, bytes);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    long packedBytes(int type, long outputs, long inputs) {
        try {
            return (long) packedBytes.invokeExact(type, outputs, inputs);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    void pack(MemorySegment pool, int type, long outputs, long inputs, MemorySegment source, MemorySegment target) {
        try {
            pack.invokeExact(pool, type, outputs, inputs, source, target);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// Bytes of [#takeScales] for 256 elements of a type; negative if rows of a repacked matrix cannot be decoded.
    long scaleBytes(int type) {
        try {
            return (long) scaleBytes.invokeExact(type);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    void takeScales(int type, long elements, MemorySegment source, MemorySegment target) {
        try {
            takeScales.invokeExact(type, elements, source, target);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    void move(MemorySegment kv, long from, long to) {
        try {
            move.invokeExact(kv, from, to);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    void copyPage(MemorySegment kv, int from, int to) {
        try {
            copyPage.invokeExact(kv, from, to);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// A method handle throws only what its call may; anything else is our bug.
    private static AssertionError unexpected(Throwable e) {
        if (e instanceof RuntimeException runtime) {
            throw runtime; // a segment that was closed meanwhile, say
        }
        return new AssertionError(e);
    }
}
