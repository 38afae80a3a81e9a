package org.gatun.cuda;

import java.util.List;

/// The structure of arguments that a kernel takes as its one parameter. PTX knows its size alone; the fields are known from where the
/// kernel was compiled.
///
/// @param name of its type
/// @param byteSize of all
/// @param fields in order of their offsets
public record KernelStructure(String name, int byteSize, List<Field> fields) {
    /// @throws IllegalArgumentException if two fields have one name or one offset, or one does not lie inside
    public KernelStructure {
        fields = List.copyOf(fields);
        List<String> names = fields.stream().map(Field::name).toList();
        if (names.stream().distinct().count() < names.size()) {
            throw new IllegalArgumentException("structure %s: found fields %s, expected names that differ".formatted(name, names));
        }
        int end = 0;
        for (Field field : fields) {
            if (field.byteOffset < end || field.byteOffset % field.type.byteSize() != 0) {
                throw new IllegalArgumentException("field %s of structure %s: found byte %d, expected a multiple of %d from %d on"
                        .formatted(field.name, name, field.byteOffset, field.type.byteSize(), end));
            }
            end = field.byteOffset + field.type.byteSize();
        }
        if (end > byteSize) {
            throw new IllegalArgumentException("structure %s: found %d bytes, expected %d at least".formatted(name, byteSize, end));
        }
    }

    /// A field of the structure.
    ///
    /// @param byteOffset a multiple of its size
    public record Field(String name, KernelParameter.Type type, int byteOffset) {}
}
