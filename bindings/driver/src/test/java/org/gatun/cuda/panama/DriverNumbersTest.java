package org.gatun.cuda.panama;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Map;
import org.gatun.cuda.DeviceAttribute;
import org.gatun.cuda.FunctionAttribute;
import org.gatun.cuda.TensorMap;
import org.gatun.cuda.bindings.Cuda;
import org.junit.jupiter.api.Test;

/// The numbers of our enums are those of cuda.h. Every constant must be in the table: one that is added without is noticed.
class DriverNumbersTest {
    @Test
    void deviceAttribute_everyCode_isTheHeaders() {
        Map<DeviceAttribute, Integer> header = Map.ofEntries(
                Map.entry(DeviceAttribute.MAX_THREADS_PER_BLOCK, Cuda.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK()),
                Map.entry(DeviceAttribute.MAX_BLOCK_X, Cuda.CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X()),
                Map.entry(DeviceAttribute.MAX_BLOCK_Y, Cuda.CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y()),
                Map.entry(DeviceAttribute.MAX_BLOCK_Z, Cuda.CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z()),
                Map.entry(DeviceAttribute.MAX_GRID_X, Cuda.CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X()),
                Map.entry(DeviceAttribute.MAX_GRID_Y, Cuda.CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y()),
                Map.entry(DeviceAttribute.MAX_GRID_Z, Cuda.CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z()),
                Map.entry(DeviceAttribute.MAX_SHARED_BYTES_PER_BLOCK, Cuda.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK()),
                Map.entry(DeviceAttribute.WARP_SIZE, Cuda.CU_DEVICE_ATTRIBUTE_WARP_SIZE()),
                Map.entry(DeviceAttribute.MAX_REGISTERS_PER_BLOCK, Cuda.CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK()),
                Map.entry(DeviceAttribute.CLOCK_KILOHERTZ, Cuda.CU_DEVICE_ATTRIBUTE_CLOCK_RATE()),
                Map.entry(DeviceAttribute.MULTIPROCESSORS, Cuda.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT()),
                Map.entry(DeviceAttribute.MEMORY_CLOCK_KILOHERTZ, Cuda.CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE()),
                Map.entry(DeviceAttribute.MEMORY_BUS_BITS, Cuda.CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH()),
                Map.entry(DeviceAttribute.L2_BYTES, Cuda.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE()),
                Map.entry(DeviceAttribute.MAX_THREADS_PER_MULTIPROCESSOR,
                        Cuda.CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR()),
                Map.entry(DeviceAttribute.UNIFIED_ADDRESSING, Cuda.CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING()),
                Map.entry(DeviceAttribute.COMPUTE_CAPABILITY_MAJOR, Cuda.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR()),
                Map.entry(DeviceAttribute.COMPUTE_CAPABILITY_MINOR, Cuda.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR()),
                Map.entry(DeviceAttribute.COOPERATIVE_LAUNCH, Cuda.CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH()),
                Map.entry(DeviceAttribute.MAX_SHARED_BYTES_PER_BLOCK_OPT_IN,
                        Cuda.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN()),
                Map.entry(DeviceAttribute.MEMORY_POOLS, Cuda.CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED()));
        for (DeviceAttribute attribute : DeviceAttribute.values()) {
            assertEquals(header.get(attribute), attribute.code(), attribute::toString);
        }
    }

    @Test
    void functionAttribute_everyCode_isTheHeaders() {
        Map<FunctionAttribute, Integer> header = Map.of(
                FunctionAttribute.MAX_THREADS_PER_BLOCK, Cuda.CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK(),
                FunctionAttribute.STATIC_SHARED_BYTES, Cuda.CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES(),
                FunctionAttribute.CONST_BYTES, Cuda.CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES(),
                FunctionAttribute.LOCAL_BYTES, Cuda.CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES(),
                FunctionAttribute.REGISTERS, Cuda.CU_FUNC_ATTRIBUTE_NUM_REGS(),
                FunctionAttribute.PTX_VERSION, Cuda.CU_FUNC_ATTRIBUTE_PTX_VERSION(),
                FunctionAttribute.BINARY_VERSION, Cuda.CU_FUNC_ATTRIBUTE_BINARY_VERSION(),
                FunctionAttribute.MAX_DYNAMIC_SHARED_BYTES, Cuda.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES());
        for (FunctionAttribute attribute : FunctionAttribute.values()) {
            assertEquals(header.get(attribute), attribute.code(), attribute::toString);
        }
    }

    @Test
    void tensorMap_everyOrdinal_isTheHeaders() {
        assertEquals(Arrays.asList(Cuda.CU_TENSOR_MAP_DATA_TYPE_UINT8(), Cuda.CU_TENSOR_MAP_DATA_TYPE_UINT16(),
                Cuda.CU_TENSOR_MAP_DATA_TYPE_UINT32(), Cuda.CU_TENSOR_MAP_DATA_TYPE_INT32(),
                Cuda.CU_TENSOR_MAP_DATA_TYPE_UINT64(), Cuda.CU_TENSOR_MAP_DATA_TYPE_INT64(),
                Cuda.CU_TENSOR_MAP_DATA_TYPE_FLOAT16(), Cuda.CU_TENSOR_MAP_DATA_TYPE_FLOAT32(),
                Cuda.CU_TENSOR_MAP_DATA_TYPE_FLOAT64(), Cuda.CU_TENSOR_MAP_DATA_TYPE_BFLOAT16()),
                Arrays.stream(TensorMap.ElementType.values()).map(Enum::ordinal).toList());
        assertEquals(Arrays.asList(Cuda.CU_TENSOR_MAP_SWIZZLE_NONE(), Cuda.CU_TENSOR_MAP_SWIZZLE_32B(),
                Cuda.CU_TENSOR_MAP_SWIZZLE_64B(), Cuda.CU_TENSOR_MAP_SWIZZLE_128B()),
                Arrays.stream(TensorMap.Swizzle.values()).map(Enum::ordinal).toList());
    }
}
