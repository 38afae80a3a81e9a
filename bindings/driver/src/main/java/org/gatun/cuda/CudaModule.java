package org.gatun.cuda;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Compiled PTX on a device. Closed by whoever loaded it; its functions end with it. Used by any thread.
public final class CudaModule extends CudaResource {
    private final String name;
    private final String log;
    private final Map<String, List<KernelParameter>> signatures;

    private CudaModule(CudaContext context, CudaDriver.LoadedModule loaded, String name,
            Map<String, List<KernelParameter>> signatures) {
        super(context, loaded.handle());
        this.name = name;
        log = loaded.log();
        this.signatures = signatures;
    }

    static CudaModule load(CudaContext context, CudaDriver driver, String name, String ptx, JitOptions options) {
        byte[] image = (ptx + '\0').getBytes(StandardCharsets.UTF_8);
        try {
            return new CudaModule(context, driver.moduleLoad(image, options), name, KernelSignatures.of(ptx));
        } catch (OutOfDeviceMemoryException e) {
            throw new OutOfDeviceMemoryException(e.call(), "module " + name + ": " + e.details());
        } catch (CudaException e) {
            String requirement = e.code() == CudaException.UNSUPPORTED_PTX_VERSION ? PtxVersion.requirement(ptx, driver.version()) : "";
            throw new CudaException(e.call(), e.code(), e.errorName(),
                    "module " + name + ": " + e.details() + (requirement.isEmpty() ? "" : ": " + requirement));
        }
    }

    public String name() {
        return name;
    }

    /// What the driver's compiler said.
    public String log() {
        return log;
    }

    /// Names of the kernels it has.
    public List<String> kernels() {
        return signatures.keySet().stream().sorted().toList();
    }

    /// A kernel whose arguments are set by number.
    ///
    /// @throws IllegalArgumentException if there is no kernel of this name
    /// @throws IllegalStateException if the module is closed
    public CudaFunction function(String kernel) {
        return function(kernel, Optional.empty());
    }

    /// A kernel that takes a structure, whose fields are set by name.
    ///
    /// @throws IllegalArgumentException if there is no kernel of this name, or it does not take one structure of that size
    /// @throws IllegalStateException if the module is closed
    public CudaFunction function(String kernel, KernelStructure structure) {
        return function(kernel, Optional.of(structure));
    }

    private CudaFunction function(String kernel, Optional<KernelStructure> structure) {
        long module = handle();
        List<KernelParameter> parameters = signatures.get(kernel);
        if (parameters == null) {
            throw new IllegalArgumentException("module " + name + " has no kernel " + kernel + ": expected one of " + kernels());
        }
        structure.ifPresent(expected -> {
            if (parameters.size() != 1 || parameters.getFirst().type() != KernelParameter.Type.BYTES
                    || parameters.getFirst().byteSize() != expected.byteSize()) {
                throw new IllegalArgumentException("kernel %s of module %s: found %s, expected structure %s of %d bytes".formatted(kernel,
                        name, parameters, expected.name(), expected.byteSize()));
            }
        });
        context().makeCurrent();
        return new CudaFunction(this, kernel, context().driver().moduleFunction(module, kernel), parameters, structure);
    }

    @Override
    void release(CudaDriver driver, long handle) {
        driver.moduleUnload(handle);
    }

    @Override
    public String toString() {
        return "module " + name;
    }
}
