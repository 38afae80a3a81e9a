package org.gatun.bundle;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import org.gatun.cuda.CudaDriver;

/// A driver that counts what is launched through it, by graphs too, and the time that the host waits. Used by one thread.
final class DriverMeter implements InvocationHandler {
    private final CudaDriver driver;
    private final Map<Long, Long> kernelsOfGraphs = new HashMap<>(); // by executable
    private long captured;
    private long kernels;
    private long graphLaunches;
    private long waitingNanos;

    DriverMeter(CudaDriver driver) {
        this.driver = driver;
    }

    /// The driver to use.
    CudaDriver driver() {
        return (CudaDriver) Proxy.newProxyInstance(DriverMeter.class.getClassLoader(), new Class<?>[] {CudaDriver.class}, this);
    }

    /// Counts from here on.
    void reset() {
        kernels = 0;
        graphLaunches = 0;
        waitingNanos = 0;
    }

    /// Kernels that graphs launched.
    long kernels() {
        return kernels;
    }

    long graphLaunches() {
        return graphLaunches;
    }

    long waitingNanos() {
        return waitingNanos;
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        long start = System.nanoTime();
        Object result;
        try {
            result = method.invoke(driver, arguments);
        } catch (InvocationTargetException e) {
            throw e.getCause();
        }
        switch (method.getName()) {
            case "launchKernel" -> captured++;
            case "graphInstantiate" -> {
                kernelsOfGraphs.put((Long) result, captured);
                captured = 0;
            }
            case "graphLaunch" -> {
                graphLaunches++;
                kernels += kernelsOfGraphs.getOrDefault((Long) arguments[0], 0L);
            }
            case "streamSynchronize" -> waitingNanos += System.nanoTime() - start;
            default -> { }
        }
        return result;
    }
}
