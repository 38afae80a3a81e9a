package org.gatun.cuda.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.fail;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.gatun.cuda.CudaContext;
import org.gatun.cuda.simulator.LaunchReport;
import org.gatun.cuda.simulator.SimulatorDriver;
import org.gatun.cuda.simulator.SimulatorOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class TileComparisonTest {
    @ParameterizedTest
    @EnumSource(WeightType.class)
    void isAlike_simulatedDeviceOf90_saysYesWhereThereAreKernels(WeightType type) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults());
        try (CudaContext context = CudaContext.open(driver, 0); KernelLibrary library = new KernelLibrary(context)) {
            List<String> heard = new ArrayList<>();
            TileComparison tiles = new TileComparison(library, (compared, same) -> heard.add(compared + " " + same));
            List<String> expected = Stream.of("_128x128", "_128x128w", "_128x256w").map(tile -> "matmul_" + type + tile)
                    .filter(library::has).toList();
            boolean alike = library.has("matmul_" + type + "_128x128w");

            assertEquals(alike, tiles.isAlike(type));
            assertEquals(alike, tiles.isAlike(type));
            assertEquals(alike ? expected : List.of(), driver.takeReports().stream().map(LaunchReport::kernel).toList(), "compared once");
            assertEquals(alike ? 2 : 0, context.openResources(), "only modules are left");
            assertEquals(alike ? List.of(type + " true") : List.of(), heard);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {80, 89, 100, 120})
    void isAlike_deviceOfAnotherCapability_saysNo(int capability) {
        SimulatorDriver driver = SimulatorDriver.open(SimulatorOptions.defaults().withComputeCapability(capability));
        try (CudaContext context = CudaContext.open(driver, 0); KernelLibrary library = new KernelLibrary(context)) {
            assertEquals(false, new TileComparison(library, (type, _) -> fail(type + " compared")).isAlike(WeightType.BF16));
            assertEquals(List.of(), driver.takeReports());
        }
    }

    @Test
    void ofGroups_blocksForEveryMultiprocessor_areWide() {
        assertEquals(MatmulKernels.Tile.GROUPED, MatmulKernels.Tile.ofGroups(256, 4096, 132));
        assertEquals(MatmulKernels.Tile.GROUPED_WIDE, MatmulKernels.Tile.ofGroups(256, 28_672, 132));
        assertEquals(MatmulKernels.Tile.GROUPED_WIDE, MatmulKernels.Tile.ofGroups(4096, 4096, 132));
    }
}
