# Makes nvcc's PTX the same wherever it was compiled, and readable: compiler build comments, paths and debug names go, and each
# position in the source becomes the innermost one in the family's own .cu file, which is the file that someone is looking for
# when an instruction fails. Call with -v source=norm.cu (its name without folders) and the PTX.

function name_of(quoted) {
    gsub(/^.*\/|"/, "", quoted)
    return quoted
}

# First reading: which number the .cu has among the files.
NR == FNR {
    if ($1 == ".file" && name_of($3) == source) {
        own = $2
    }
    next
}

/^\t*\/\// || $1 == ".file" { next }

# A hint which bytes of a load are used, that only newer PTX has.
$1 == ".pragma" && /used_bytes_mask/ { next }

# The debug strings: names of inlined functions. To the end of the file.
$1 == ".section" { exit }

# .loc FILE LINE COLUMN[, function_name LABEL, inlined_at FILE LINE COLUMN]. A caller stands before what is inlined into it.
$1 == ".loc" {
    gsub(/,/, "")
    position = $2 " " $3 " " $4
    caller[position] = $7 == "inlined_at" ? $8 " " $9 " " $10 : ""
    while (position != "" && split(position, part, " ") && part[1] != own) {
        position = caller[position]
    }
    if (position != "") {
        pending = part[2] " " part[3]
    }
    next
}

# A position stands before the instructions it is for, once.
/;$/ && !/^\t\.(reg|shared|param)/ && pending != printed {
    print "\t.loc\t1 " pending
    printed = pending
}

$1 == ".visible" { printed = "" }

NF == 0 { blank = 1; next }

{
    if (blank && started) {
        print ""
    }
    blank = 0
    started = 1
    print
}

END { print "\n\t.file\t1 \"" source "\"" }
