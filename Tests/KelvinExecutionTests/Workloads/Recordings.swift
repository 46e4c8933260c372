import KelvinModel

@testable import KelvinExecution

/// What the tools printed on this project's machine: Debian 12, two CPUs; dhrystone built from its
/// source. Those of lmbench and schbench have the format that their documentation shows.
enum Recordings {
  static let all = [
    Recording(
      .openssl, "two processes",
      """
      Forked child 0
      Forked child 1
      Got: +H:16:64:256:1024:8192:16384 from 0
      Got: +F:25:AES-256-GCM:18096672.00:68385088.00:306312448.00:877196288.00:1659410070.59:1304985600.00 from 0
      Got: +H:16:64:256:1024:8192:16384 from 1
      Got: +F:25:AES-256-GCM:18583712.00:69829322.77:318095616.00:886868992.00:1687887872.00:1434992640.00 from 1
      +F:25:AES-256-GCM:36680384.00:138214410.77:624408064.00:1764065280.00:3347297942.59:2739978240.00

      """,
      error: """
        +DT:AES-256-GCM:1:16
        +DT:AES-256-GCM:1:16
        +R:1131042:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:64
        +R:1161482:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:64
        +R:1068517:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:256
        +R:1101994:AES-256-GCM:1.010000
        +DT:AES-256-GCM:1:256
        +R:1196533:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:1024
        +R:1242561:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:1024
        +R:856637:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:8192
        +R:866083:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:8192
        +R:206041:AES-256-GCM:1.000000
        +DT:AES-256-GCM:1:16384
        +R:206616:AES-256-GCM:1.020000
        +DT:AES-256-GCM:1:16384
        +R:87585:AES-256-GCM:1.000000
        +R:81243:AES-256-GCM:1.020000

        """,
      metrics: ["throughput": 6]),
    Recording(
      .openssl, "ecdsap256",
      """
      Forked child 0
      Forked child 1
      Got: +F4:3:256:21282.000000:6343.000000 from 0
      Got: +F4:3:256:21136.000000:6277.000000 from 1
      +F4:3:256:42418.000000:12620.000000

      """,
      error: "",
      metrics: ["signatures": 1, "verifications": 1]),
    Recording(
      .openssl, "ecdhx25519",
      """
      +DTP:253::ecdh:1
      +R7:9959:253:0.23
      +F5:22:253:43300.000000:0.000023

      """,
      error: "",
      metrics: ["key_agreements": 1]),
    Recording(
      .openssl, "ed25519",
      """
      +DTP:253:sign:Ed25519:1
      +R8:8468:253:Ed25519:0.19
      +DTP:253:verify:Ed25519:1
      +R9:3513:253:Ed25519:0.22
      +F6:0:253:Ed25519:44568.421053:15968.181818

      """,
      error: "",
      metrics: ["signatures": 1, "verifications": 1]),
    Recording(
      .stressNG, "two stressors",
      "",
      error: """
        stress-ng: info:  [5817] setting to a 1 second run per stressor
        stress-ng: info:  [5817] dispatching hogs: 2 cpu, 1 vm
        stress-ng: metrc: [5817] stressor       bogo ops real time  usr time  sys time   bogo ops/s     bogo ops/s
        stress-ng: metrc: [5817]                           (secs)    (secs)    (secs)   (real time) (usr+sys time)
        stress-ng: metrc: [5817] cpu                 936      1.01      0.43      0.01       927.45        2145.84
        stress-ng: metrc: [5817] vm                    0      1.03      0.02      0.21         0.00           0.00
        stress-ng: info:  [5817] successful run completed in 1.05s

        """,
      metrics: ["bogo_ops": 2, "bogo_ops_rate": 2, "bogo_ops_cpu_rate": 2]),
    Recording(
      .sysbench, "memory",
      """
      sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

      Running the test with following options:
      Number of threads: 2
      Initializing random number generator from current time


      Running memory speed test with the following options:
        block size: 1KiB
        total size: 102400MiB
        operation: write
        scope: global

      Initializing worker threads...

      Threads started!

      Total operations: 4958541 (4934722.82 per second)

      4842.33 MiB transferred (4819.07 MiB/sec)


      General statistics:
          total time:                          1.0040s
          total number of events:              4958541

      Latency (ms):
               min:                                    0.00
               avg:                                    0.00
               max:                                   20.04
               95th percentile:                        0.00
               sum:                                  726.71

      Threads fairness:
          events (avg/stddev):           2479270.5000/63356.50
          execution time (avg/stddev):   0.3634/0.00


      """,
      error: "",
      metrics: ["bandwidth": 1, "events_rate": 1, "events": 1, "test_time": 1, "latency": 4]),
    Recording(
      .sysbench, "mutex",
      """
      sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

      Running the test with following options:
      Number of threads: 2
      Initializing random number generator from current time


      Initializing worker threads...

      Threads started!


      General statistics:
          total time:                          0.4729s
          total number of events:              2

      Latency (ms):
               min:                                  468.99
               avg:                                  470.63
               max:                                  472.26
               95th percentile:                      475.79
               sum:                                  941.26

      Threads fairness:
          events (avg/stddev):           1.0000/0.00
          execution time (avg/stddev):   0.4706/0.00


      """,
      error: "",
      metrics: ["events": 1, "test_time": 1, "latency": 4]),
    Recording(
      .sysbench, "fileio",
      """
      sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

      Running the test with following options:
      Number of threads: 1
      Initializing random number generator from current time


      Extra file open flags: (none)
      2 files, 2MiB each
      4MiB total file size
      Block size 16KiB
      Number of IO requests: 0
      Read/Write ratio for combined random IO test: 1.50
      Periodic FSYNC enabled, calling fsync() each 100 requests.
      Calling fsync() at the end of test, Enabled.
      Using synchronous I/O mode
      Doing random r/w test
      Initializing worker threads...

      Threads started!


      File operations:
          reads/s:                      96973.99
          writes/s:                     64649.66
          fsyncs/s:                     3233.03

      Throughput:
          read, MiB/s:                  1515.22
          written, MiB/s:               1010.15

      General statistics:
          total time:                          1.0005s
          total number of events:              165108

      Latency (ms):
               min:                                    0.00
               avg:                                    0.01
               max:                                    4.44
               95th percentile:                        0.00
               sum:                                  980.05

      Threads fairness:
          events (avg/stddev):           165108.0000/0.00
          execution time (avg/stddev):   0.9800/0.00


      """,
      error: "",
      metrics: ["bandwidth": 2, "iops": 3, "events": 1, "test_time": 1, "latency": 4]),
    Recording(
      .hackbench, "rt-tests",
      """
      Running in process mode with 2 groups using 40 file descriptors each (== 80 tasks)
      Each sender will pass 50 messages of 100 bytes
      Time: 0.080

      """,
      error: "",
      metrics: ["test_time": 1]),
    Recording(
      .hackbench, "perf",
      """
      # Running 'sched/messaging' benchmark:
      # 20 sender and receiver processes per group
      # 2 groups == 80 processes run

           Total time: 0.103 [sec]

      """,
      error: "",
      metrics: ["test_time": 1]),
    Recording(
      .memcpy, "perf",
      """
      # Running 'mem/memcpy' benchmark:
      # function 'default' (Default memcpy() provided by glibc)
      # Copying 1MB bytes ...

            58.476796 GB/sec
      # function 'x86-64-unrolled' (unrolled memcpy() in arch/x86/lib/memcpy_64.S)
      # Copying 1MB bytes ...

            47.988329 GB/sec
      # function 'x86-64-movsq' (movsq-based memcpy() in arch/x86/lib/memcpy_64.S)
      # Copying 1MB bytes ...

            62.201433 GB/sec
      # function 'x86-64-movsb' (movsb-based memcpy() in arch/x86/lib/memcpy_64.S)
      # Copying 1MB bytes ...

            63.827614 GB/sec

      """,
      error: "",
      metrics: ["bandwidth": 4]),
    Recording(
      .dhrystone, "by loops",
      """
      duration: 0 seconds
      number of threads: 2
      number of loops: 20000000
      delay between starting threads: 0 seconds

      Dhrystone(1.1) time for 10000000 passes = 0.1
      This machine benchmarks at 95640697 dhrystones/second
                                 54434 DMIPS
      duration: 0 seconds
      number of threads: 2
      number of loops: 20000000
      delay between starting threads: 0 seconds

      Dhrystone(1.1) time for 10000000 passes = 0.1
      This machine benchmarks at 95544748 dhrystones/second
                                 54379 DMIPS

      Total dhrystone run time: 0.109572 seconds.

      """,
      error: "",
      metrics: ["dmips": 3, "cpu_time": 1]),
    Recording(
      .dhrystone, "by time",
      """
      duration: 1 seconds
      number of threads: 2
      number of loops: 1000000
      delay between starting threads: 0 seconds

      duration: 1 seconds
      number of threads: 2
      number of loops: 1000000
      delay between starting threads: 0 seconds


      Total dhrystone run time: 1.002937 seconds.

      """,
      error: "",
      metrics: ["cpu_time": 1]),
    Recording(
      .apache, "ab",
      """
      This is ApacheBench, Version 2.3 <$Revision$>
      Copyright 1996 Adam Twiss, Zeus Technology Ltd, http://www.zeustech.net/
      Licensed to The Apache Software Foundation, http://www.apache.org/

      Benchmarking 127.0.0.1 (be patient).....done


      Server Software:        SimpleHTTP/0.6
      Server Hostname:        127.0.0.1
      Server Port:            18765

      Document Path:          /
      Document Length:        1545 bytes

      Concurrency Level:      2
      Time taken for tests:   0.071 seconds
      Complete requests:      20
      Failed requests:        0
      Total transferred:      34020 bytes
      HTML transferred:       30900 bytes
      Requests per second:    282.92 [#/sec] (mean)
      Time per request:       7.069 [ms] (mean)
      Time per request:       3.535 [ms] (mean, across all concurrent requests)
      Transfer rate:          469.97 [Kbytes/sec] received

      Connection Times (ms)
                    min  mean[+/-sd] median   max
      Connect:        0    0   0.1      0       0
      Processing:     0    6  10.0      1      33
      Waiting:        0    5  10.1      1      33
      Total:          0    6  10.0      1      33

      Percentage of the requests served within a certain time (ms)
        50%      1
        66%      3
        75%      4
        80%      8
        90%     28
        95%     33
        98%     33
        99%     33
       100%     33 (longest request)

      """,
      error: "",
      metrics: [
        "requests_rate": 1, "failed_requests": 1, "request_time": 1, "transfer_rate": 1,
        "latency": 9
      ]),
    Recording(
      .schbench, "three tables, the last report counts", "",
      error: """
        Wakeup Latencies percentiles (usec) runtime 10 (s) (910 total samples)
        \t  50.0th: 7          (420 samples)
        \t* 99.0th: 31         (80 samples)
        \t  min=1, max=90
        Wakeup Latencies percentiles (usec) runtime 20 (s) (1820 total samples)
        \t  50.0th: 8          (840 samples)
        \t* 99.0th: 32         (160 samples)
        \t  min=1, max=98
        Request Latencies percentiles (usec) runtime 20 (s) (1800 total samples)
        \t  50.0th: 15000      (800 samples)
        \t* 99.0th: 15600      (120 samples)
        \t  min=3528, max=31677
        RPS percentiles (requests) runtime 20 (s) (21 total samples)
        \t* 50.0th: 91         (10 samples)
        \t  min=80, max=95
        average rps: 90.10

        """,
      metrics: ["latency": 4, "requests_rate": 1]),
    Recording(
      .schbench, "an old version", "",
      error: """
        Latency percentiles (usec)
        \t50.0000th: 12
        \t*99.0000th: 90
        \tmin=0, max=120

        """,
      metrics: ["latency": 2]),
    Recording(
      .lmbench, "lat_mem_rd", "",
      error: """
        "stride=128
        0.00049 1.584
        0.00098 1.585
        4.00000 12.910

        """,
      metrics: ["latency": 3]),
    Recording(
      .lmbench, "bw_mem", parameters: ["test": "bw_mem"], "",
      error: """
        4.19 10523.41

        """,
      metrics: ["bandwidth": 1])
  ]
}
