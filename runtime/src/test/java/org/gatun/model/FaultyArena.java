package org.gatun.model;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.classfile.ClassFile;
import java.lang.classfile.ClassHierarchyResolver;
import java.lang.classfile.ClassModel;
import java.lang.classfile.ClassTransform;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.CodeElement;
import java.lang.classfile.CodeTransform;
import java.lang.classfile.Opcode;
import java.lang.classfile.instruction.InvokeInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicInteger;

/// An arena whose allocations are counted, all such arenas together; the one with a given number throws an [OutOfMemoryError]. Classes that
/// [Loader] loads get such arenas whenever they ask for one. Public, as they are in another run-time package.
public final class FaultyArena implements Arena {
    private static final AtomicInteger ALLOCATIONS = new AtomicInteger();
    private static final AtomicInteger OPEN = new AtomicInteger();
    private static volatile int failing;

    private final Arena arena;

    private FaultyArena(Arena arena) {
        this.arena = arena;
        OPEN.incrementAndGet();
    }

    /// Begins to count anew.
    ///
    /// @param number of the allocation that fails, from 1; 0 for none
    static void fail(int number) {
        ALLOCATIONS.set(0);
        failing = number;
    }

    static int allocations() {
        return ALLOCATIONS.get();
    }

    /// Arenas that were not closed.
    static int open() {
        return OPEN.get();
    }

    /// Called instead of [Arena#ofConfined].
    public static Arena ofConfined() {
        return new FaultyArena(Arena.ofConfined());
    }

    /// Called instead of [Arena#ofShared].
    public static Arena ofShared() {
        return new FaultyArena(Arena.ofShared());
    }

    /// Called before native code allocates.
    public static void count() {
        if (ALLOCATIONS.incrementAndGet() == failing) {
            throw new OutOfMemoryError("injected: allocation " + failing);
        }
    }

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        count();
        return arena.allocate(byteSize, byteAlignment);
    }

    @Override
    public MemorySegment.Scope scope() {
        return arena.scope();
    }

    @Override
    public void close() {
        arena.close();
        OPEN.decrementAndGet();
    }

    /// Loads Gatun's classes anew, with these arenas instead of Java's.
    static final class Loader extends ClassLoader {
        private static final ClassDesc ARENA = ClassDesc.of(Arena.class.getName());
        private static final ClassDesc FAULTY = ClassDesc.of(FaultyArena.class.getName());

        Loader() {
            super(FaultyArena.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                Class<?> loaded = findLoadedClass(name);
                if (loaded != null) {
                    return loaded;
                }
                if (!name.startsWith("org.gatun.") || name.equals(FaultyArena.class.getName())) {
                    return super.loadClass(name, resolve);
                }
                try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
                    if (in == null) {
                        throw new ClassNotFoundException(name);
                    }
                    byte[] bytes = faulty(in.readAllBytes());
                    return defineClass(name, bytes, 0, bytes.length);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            }
        }

        private byte[] faulty(byte[] bytes) {
            ClassFile file = ClassFile.of(ClassFile.ClassHierarchyResolverOption.of(
                    ClassHierarchyResolver.ofResourceParsing(this)));
            ClassModel model = file.parse(bytes);
            boolean allocates = model.thisClass().asInternalName().equals("org/gatun/backend/cpu/NativeLibrary");
            CodeTransform arenas = (code, element) -> {
                if (element instanceof InvokeInstruction call && call.opcode() == Opcode.INVOKESTATIC && call.owner().asSymbol().equals(ARENA)
                        && (call.name().equalsString("ofConfined") || call.name().equalsString("ofShared"))) {
                    code.invokestatic(FAULTY, call.name().stringValue(), call.typeSymbol());
                } else {
                    code.with(element);
                }
            };
            CodeTransform counted = CodeTransform.ofStateful(() -> new CodeTransform() {
                @Override
                public void atStart(CodeBuilder code) {
                    code.invokestatic(FAULTY, "count", MethodTypeDesc.of(ConstantDescs.CD_void));
                }

                @Override
                public void accept(CodeBuilder code, CodeElement element) {
                    arenas.accept(code, element);
                }
            });
            ClassTransform transform = ClassTransform.transformingMethodBodies(
                    method -> !(allocates && method.methodName().equalsString("allocate")), arenas);
            if (allocates) {
                transform = transform.andThen(ClassTransform.transformingMethodBodies(
                        method -> method.methodName().equalsString("allocate"), counted));
            }
            return file.transformClass(model, transform);
        }
    }
}
