package org.gatun.cuda.kernels;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaFunction;
import org.gatun.cuda.CudaModule;

/// Gatun's kernels on one device. A family's PTX is compiled when one of its kernels is first asked for, which takes the driver
/// some tenths of a second; it keeps the result for later processes.
///
/// Closed by whoever made it, or with its context. Used by any thread.
public final class KernelLibrary implements AutoCloseable {
    private final CudaContext context;
    private final List<KernelVariant> variants = KernelVariant.all();
    private final Map<String, CudaModule> modules = new HashMap<>();
    private final Map<String, CudaFunction> kernels = new HashMap<>();
    private boolean closed;

    public KernelLibrary(CudaContext context) {
        this.context = context;
    }

    public CudaContext context() {
        return context;
    }

    /// Whether there is a kernel, in a variant that the device can run.
    public boolean has(String name) {
        int capability = context.device().computeCapability();
        return variants.stream().anyMatch(variant -> variant.kernel().equals(name) && variant.runsOn(capability));
    }

    /// A kernel, in the newest variant that the device can run.
    ///
    /// @param name of the entry, such as `norm_rms_bf16`
    /// @throws IllegalArgumentException if there is no such kernel, or none for this device
    /// @throws IllegalStateException if the library is closed
    /// @throws org.gatun.cuda.CudaException with the compiler's log if the driver cannot compile it
    public synchronized CudaFunction kernel(String name) {
        if (closed) {
            throw new IllegalStateException("kernel " + name + ": the library is closed");
        }
        CudaFunction known = kernels.get(name);
        if (known == null) {
            KernelVariant variant = choose(name);
            CudaModule module = modules.computeIfAbsent(variant.ptx(), file -> context.load(file, KernelVariant.text(file)));
            known = variant.arguments().isPresent() ? module.function(name, variant.arguments().get()) : module.function(name);
            kernels.put(name, known);
        }
        return known;
    }

    private KernelVariant choose(String name) {
        int capability = context.device().computeCapability();
        List<KernelVariant> named = variants.stream().filter(variant -> variant.kernel().equals(name)).toList();
        if (named.isEmpty()) {
            throw new IllegalArgumentException("unknown kernel '" + name + "': expected one of "
                    + variants.stream().map(KernelVariant::kernel).distinct().toList());
        }
        return KernelVariant.newest(named, capability).orElseThrow(() -> new IllegalArgumentException(
                "kernel %s on %s: found compute capability %s, expected %s".formatted(name, context.device().name(), decimal(capability),
                        named.stream().map(KernelLibrary::where).distinct().collect(Collectors.joining(" or ")))));
    }

    private static String where(KernelVariant variant) {
        return decimal(variant.computeCapability()) + (variant.forOneCapability() ? " exactly" : " at least");
    }

    private static String decimal(int capability) {
        return capability / 10 + "." + capability % 10;
    }

    /// Unloads what was loaded. The second time does nothing.
    @Override
    public synchronized void close() {
        closed = true;
        kernels.clear();
        modules.values().forEach(CudaModule::close);
        modules.clear();
    }
}
