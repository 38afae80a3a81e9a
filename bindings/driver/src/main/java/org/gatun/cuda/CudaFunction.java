package org.gatun.cuda;

import java.util.List;
import java.util.Optional;

/// A kernel of a module, which must be open while it is used. Used by any thread.
public final class CudaFunction {
    private int allowedSharedBytes; // guarded by this
    private final CudaModule module;
    private final String name;
    private final long handle;
    private final List<KernelParameter> parameters;
    private final Optional<KernelStructure> structure;

    /// The configuration that was checked last: the usual launch repeats it.
    private LaunchConfiguration checked;

    CudaFunction(CudaModule module, String name, long handle, List<KernelParameter> parameters,
            Optional<KernelStructure> structure) {
        this.module = module;
        this.name = name;
        this.handle = handle;
        this.parameters = parameters;
        this.structure = structure;
    }

    public String name() {
        return name;
    }

    public CudaModule module() {
        return module;
    }

    /// The driver's handle, for other libraries.
    ///
    /// @throws IllegalStateException if the module is closed
    public long handle() {
        module.checkOpen();
        return handle;
    }

    public List<KernelParameter> parameters() {
        return parameters;
    }

    /// The structure that is its one parameter, if it is known by its fields.
    public Optional<KernelStructure> structure() {
        return structure;
    }

    /// A block for this kernel's arguments: made once, used for many launches.
    public KernelArguments arguments() {
        return new KernelArguments(this);
    }

    /// @throws IllegalStateException if the module is closed
    public int attribute(FunctionAttribute attribute) {
        long function = handle();
        module.context().makeCurrent();
        return module.context().driver().functionAttribute(attribute, function);
    }

    /// Allows launches with more than 48 KiB of dynamic shared memory. What was allowed before stays so: another thread may be about to
    /// launch with it.
    ///
    /// @throws CudaException if the device has not so much
    public synchronized void allowDynamicSharedBytes(int bytes) {
        long function = handle();
        if (bytes > allowedSharedBytes) {
            module.context().makeCurrent();
            module.context().driver().functionSetAttribute(FunctionAttribute.MAX_DYNAMIC_SHARED_BYTES, function, bytes);
            allowedSharedBytes = bytes;
        }
    }

    /// Blocks of this size that one multiprocessor holds at a time.
    public int occupancyBlocks(int blockThreads, long dynamicSharedBytes) {
        long function = handle();
        module.context().makeCurrent();
        return module.context().driver().occupancyBlocks(function, blockThreads, dynamicSharedBytes);
    }

    /// Checks a launch; gives the handle.
    long checkLaunch(CudaContext context, LaunchConfiguration configuration, KernelArguments arguments) {
        long function = handle();
        module.checkContext(context);
        if (arguments.function() != this) {
            throw new IllegalArgumentException("arguments of kernel " + arguments.function().name() + ": expected those of " + name);
        }
        if (configuration != checked) {
            context.device().check(configuration, name);
            checked = configuration;
        }
        arguments.checkComplete();
        return function;
    }

    @Override
    public String toString() {
        return "kernel " + name;
    }
}
