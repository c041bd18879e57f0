"""Measuring how fast bpetok is, beside other libraries: installed as the package `bpetok_bench`."""
