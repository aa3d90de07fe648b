# SPDX-License-Identifier: BSD-2-Clause
# Two files of records of one run, merged: that of the kernel half, and behind it that of the user half. Both have the same
# clock, but the kernel's is cut to microseconds. So the order follows from what can be: the user half is at work from an exit
# to it (`left`) until the next entry.
# Knows nothing of what the records mean besides.

# The next of the kernel half; those of the merge are not printed.
function take_kernel() {
	if (kind[next_kernel] == "entry")
		inside = 1
	else if (kind[next_kernel] == "left")
		inside = 0
	if (kind[next_kernel] != "left")
		print kernel[next_kernel]
	next_kernel++
}

BEGIN {
	FS = "\t"
	next_kernel = 1
}

FILENAME == ARGV[1] {
	kernel[++kernels] = $0
	when[kernels] = $1
	kind[kernels] = $2
	next
}

{
	while (next_kernel <= kernels && (inside || when[next_kernel] < $1))
		take_kernel()
	print
}

END {
	while (next_kernel <= kernels)
		take_kernel()
}
