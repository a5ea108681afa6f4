module gogate-bench-peer

go 1.21
