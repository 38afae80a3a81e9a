package org.gatun.cuda.jcuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import jcuda.driver.CUstream;
import org.junit.jupiter.api.Test;

class HandleCacheTest {
    @Test
    void of_handleOfBefore_givesTheSameObject() {
        HandleCache<CUstream> cache = new HandleCache<>(CUstream::new);
        assertSame(cache.of(0x7f0000001000L), cache.of(0x7f0000001000L));
        assertSame(cache.of(0), cache.of(0));
    }

    @Test
    void of_moreHandlesThanPlaces_givesEachItsNumber() {
        HandleCache<CUstream> cache = new HandleCache<>(CUstream::new);
        for (int round = 0; round < 2; round++) {
            for (long handle = -2000; handle < 2000; handle++) {
                assertEquals(handle, NativePointers.value(cache.of(handle)));
                assertEquals(handle << 40, NativePointers.value(cache.of(handle << 40)));
            }
        }
    }
}
