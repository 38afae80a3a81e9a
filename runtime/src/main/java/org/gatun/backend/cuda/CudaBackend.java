package org.gatun.backend.cuda;

import java.util.Optional;
import java.util.function.DoubleConsumer;
import org.gatun.backend.Backend;
import org.gatun.backend.BatchLimits;
import org.gatun.backend.Executable;
import org.gatun.backend.KvLayout;
import org.gatun.backend.KvPool;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.CudaDevice;
import org.gatun.cuda.CudaDriver;
import org.gatun.cuda.kernels.KernelLibrary;
import org.gatun.cuda.kernels.KvLayer;
import org.gatun.cuda.kernels.TileComparison;
import org.gatun.cuda.kernels.WeightType;
import org.gatun.lifetime.Lifetime;
import org.gatun.plan.Op;
import org.gatun.plan.Plan;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/// A CUDA device, through any [CudaDriver]: the real one, or the simulator.
///
/// Weights are kept on the device, shared by all executables. A session's passes are queued in the stream of its KV cache; those of
/// different sessions run beside each other.
public final class CudaBackend implements Backend {
    private static final Logger LOG = LoggerFactory.getLogger(CudaBackend.class);

    private final CudaContext context;
    private final KernelLibrary library;
    private final DeviceWeights weights;
    private final TileComparison tiles;
    private final Lifetime lifetime;

    private CudaBackend(CudaContext context) {
        this.context = context;
        library = new KernelLibrary(context);
        weights = new DeviceWeights(context);
        tiles = new TileComparison(library, this::logComparison);
        lifetime = new Lifetime("backend " + name(), context::close);
    }

    /// Opens a device; the caller closes the backend.
    ///
    /// @throws IllegalArgumentException if there is no such device, or there are no kernels for it
    public static CudaBackend open(CudaDriver driver, int device) {
        CudaContext context = CudaContext.open(driver, device);
        try {
            CudaBackend backend = new CudaBackend(context);
            backend.library.kernel("norm_rms_f32"); // refuses a device without kernels
            return backend;
        } catch (Throwable e) {
            context.close();
            throw e;
        }
    }

    @Override
    public String name() {
        return context.driver().name();
    }

    @Override
    public String description() {
        CudaDevice device = context.device();
        return device.name() + ", compute capability " + device.computeCapability() / 10 + "." + device.computeCapability() % 10;
    }

    CudaContext context() {
        return context;
    }

    KernelLibrary library() {
        return library;
    }

    private void logComparison(WeightType type, boolean alike) {
        LOG.atLevel(alike ? Level.DEBUG : Level.WARN).log(comparison(context.device().name(), type, alike));
    }

    /// What it means how a device multiplies.
    static String comparison(String device, WeightType type, boolean alike) {
        return alike ? "%s multiplies weights of %s for four warps with the bits of one: prompts take these products".formatted(device, type)
                : "%s multiplies weights of %s for four warps with other bits than for one: prompts take the slower products of one warp, "
                        .formatted(device, type) + "so that a text does not depend on how it is cut into passes; please report the device";
    }

    TileComparison tiles() {
        return tiles;
    }

    DeviceWeights weights() {
        return weights;
    }

    @Override
    public boolean isAsynchronous() {
        return true;
    }

    @Override
    public WeightReading weightReading() {
        return WeightReading.COMPILING;
    }

    @Override
    public Optional<String> unsupportedReason(Op op) {
        return switch (op) {
            case Op.MatMul product -> Fusion.unsupportedReason(product);
            case Op.Attention attention -> KvLayer.unsupportedReason(attention.shape().headDim());
            case Op.Input _, Op.Embed _, Op.RmsNorm _, Op.Rope _, Op.AppendKv _, Op.Elementwise _, Op.SelectRows _ -> Optional.empty();
        };
    }

    @Override
    public Executable compile(Plan plan, BatchLimits limits, DoubleConsumer progress) {
        requireSupported(plan);
        return compile(plan, limits, Program.of(plan, Fusion.steps(plan)), progress);
    }

    /// Compiles without fusing ops: to find out what fusion changes.
    Executable compileUnfused(Plan plan, BatchLimits limits) {
        return compile(plan, limits, Program.of(plan, Fusion.unfused(plan)), _ -> { });
    }

    private Executable compile(Plan plan, BatchLimits limits, Program program, DoubleConsumer progress) {
        return lifetime.own(() -> new CudaExecutable(this, plan, limits, program, progress));
    }

    @Override
    public KvPool openKvPool(KvLayout layout, int pages) {
        KvPool.requirePages(layout, pages);
        return lifetime.own(() -> new KvPool(layout, pages, new CudaKvMemory(this, layout, pages), lifetime::disown));
    }

    /// Forgets what has freed itself.
    void forget(AutoCloseable closed) {
        lifetime.disown(closed);
    }

    @Override
    public void close() {
        lifetime.close();
    }
}
