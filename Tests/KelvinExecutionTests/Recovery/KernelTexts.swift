/// What kernels said on the consoles of the virtual bench: Debian's Linux 6.1, for x86_64 where nothing else is said, with a module
/// that does what its name says. Shortened by lists of modules, registers and inner frames.
enum KernelTexts {
  static let sysrqPanic = """
    [    3.370468] sysrq: Trigger a crash
    [    3.370743] Kernel panic - not syncing: sysrq triggered crash
    [    3.370933] CPU: 1 PID: 139 Comm: sh Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [    3.371271] Call Trace:
    [    3.371955]  <TASK>
    [    3.372074]  dump_stack_lvl+0x44/0x5c
    [    3.372187]  panic+0x118/0x2f4
    [    3.372236]  ? _printk+0x68/0x83
    [    3.373015]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [    3.374160]  </TASK>
    [    3.386629] Kernel Offset: disabled
    [    3.386840] Rebooting in 1 seconds..


    det-sysrq-c login:

    """

  /// On aarch64.
  static let armPanic = """
    [    4.295744] sysrq: Trigger a crash
    [    4.296599] Kernel panic - not syncing: sysrq triggered crash
    [    4.296811] CPU: 2 PID: 146 Comm: sh Not tainted 6.1.0-56-arm64 #1  Debian 6.1.192-2
    [    4.296959] Hardware name: linux,dummy-virt (DT)
    [    4.297111] Call trace:
    [    4.297228]  dump_backtrace+0xe4/0x140
    [    4.297404]  show_stack+0x20/0x30
    [    4.298209]  el0t_64_sync+0x18c/0x190
    [    4.298440] SMP: stopping secondary CPUs
    [    4.298911] Kernel Offset: disabled
    [    4.298968] CPU features: 0x022000,2023c084,0000421b
    [    4.299073] Memory Limit: none
    [    4.299269] Rebooting in 1 seconds..

    det-arm login:

    """

  static let panic = """
    [    3.148703] Kernel panic - not syncing: kfault: a panic
    [    3.149019] CPU: 0 PID: 139 Comm: sh Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [    3.149371] Call Trace:
    [    3.149813]  <TASK>
    [    3.149925]  dump_stack_lvl+0x44/0x5c
    [    3.150045]  panic+0x118/0x2f4
    [    3.150096]  ? kernel_param_unlock+0x30/0x30
    [    3.150713]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [    3.151877]  </TASK>
    [    3.154137] Kernel Offset: disabled
    [    3.154344] Rebooting in 1 seconds..


    det-panic login:

    """

  static let nullPointer = """
    [    3.016170] BUG: kernel NULL pointer dereference, address: 0000000000000008
    [    3.016390] #PF: supervisor write access in kernel mode
    [    3.016463] #PF: error_code(0x0002) - not-present page
    [    3.016781] Oops: 0002 [#1] PREEMPT SMP NOPTI
    [    3.016963] CPU: 0 PID: 138 Comm: sh Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [    3.018703] Call Trace:
    [    3.019069]  <TASK>
    [    3.019175]  param_attr_store+0x91/0xe0
    [    3.019304]  module_attr_store+0x1a/0x30
    [    3.019357]  kernfs_fop_write_iter+0x12b/0x200
    [    3.020041]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [    3.021087]  </TASK>
    [    3.021933] ---[ end trace 0000000000000000 ]---
    [    3.023205] note: sh[138] exited with irqs disabled

    """

  static let protectionFault = """
    [    2.805261] general protection fault, probably for non-canonical address 0xdead000000000000: 0000 [#1] PREEMPT SMP NOPTI
    [    2.805583] CPU: 1 PID: 138 Comm: sh Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [    2.807209] Call Trace:
    [    2.807552]  <TASK>
    [    2.807655]  param_attr_store+0x91/0xe0
    [    2.807781]  module_attr_store+0x1a/0x30
    [    2.807831]  kernfs_fop_write_iter+0x12b/0x200
    [    2.808262]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [    2.809304]  </TASK>
    [    2.810147] ---[ end trace 0000000000000000 ]---

    """

  static let bug = """
    [   74.876023] ------------[ cut here ]------------
    [   74.876200] kernel BUG at drivers/misc/kfault.c:16!
    [   74.876836] invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
    [   74.876940] CPU: 1 PID: 153 Comm: sh Tainted: G        W  OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   74.881405] Call Trace:
    [   74.881459]  <TASK>
    [   74.881504]  param_attr_store+0x91/0xe0
    [   74.885820]  module_attr_store+0x1a/0x30
    [   74.885881]  kernfs_fop_write_iter+0x12b/0x200
    [   74.886179]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [   74.887074]  </TASK>
    [   74.887894] ---[ end trace 0000000000000000 ]---

    """

  static let warning = """
    [   54.662110] ------------[ cut here ]------------
    [   54.662300] kfault: a warning
    [   54.662565] WARNING: CPU: 0 PID: 141 at drivers/misc/kfault.c:14 set+0x96/0x222 [kfault]
    [   54.663618] CPU: 0 PID: 141 Comm: sh Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   54.666984] Call Trace:
    [   54.667349]  <TASK>
    [   54.667513]  param_attr_store+0x91/0xe0
    [   54.667853]  module_attr_store+0x1a/0x30
    [   54.667953]  kernfs_fop_write_iter+0x12b/0x200
    [   54.668893]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [   54.670612]  </TASK>
    [   54.670684] ---[ end trace 0000000000000000 ]---

    """

  static let schedulingWhileAtomic = """
    [   58.346132] BUG: scheduling while atomic: sh/147/0x00000002
    [   58.346793] CPU: 1 PID: 147 Comm: sh Tainted: G        W  OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   58.347014] Call Trace:
    [   58.347068]  <TASK>
    [   58.347112]  dump_stack_lvl+0x44/0x5c
    [   58.347184]  __schedule_bug.cold+0x42/0x4e
    [   58.347237]  __schedule+0x804/0xa00
    [   58.348609]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [   58.349561]  </TASK>
    [   58.365106] sh[147]: segfault at 427700 ip 0000000000427700 sp 00007fff78b58d08 error 14 in busybox[401000+184000] likely on CPU 0 (core 0, socket 0)
    [   58.369331] BUG: scheduling while atomic: sh/147/0x00000000
    [   58.370059] CPU: 0 PID: 147 Comm: sh Tainted: G        W  OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   58.370282] Call Trace:
    [   58.370339]  <TASK>
    [   58.370393]  dump_stack_lvl+0x44/0x5c
    [   58.370466]  __schedule_bug.cold+0x42/0x4e
    [   58.370520]  __schedule+0x804/0xa00
    [   58.371616]  </TASK>

    """

  static let hungTask = """
    [    8.764978] INFO: task kfault-hung:139 blocked for more than 5 seconds.
    [    8.765283]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [    8.765418] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [    8.765549] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [    8.765857] Call Trace:
    [    8.766077]  <TASK>
    [    8.766191]  __schedule+0x34d/0xa00
    [    8.766507]  ? hard+0x10/0x10 [kfault]
    [    8.766594]  schedule+0x5a/0xd0
    [    8.766963]  </TASK>
    [    9.789003] INFO: task kfault-hung:139 blocked for more than 6 seconds.
    [    9.789218]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [    9.789305] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [    9.789391] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [    9.789514] Call Trace:
    [    9.789553]  <TASK>
    [    9.789601]  __schedule+0x34d/0xa00
    [    9.789746]  ? hard+0x10/0x10 [kfault]
    [    9.789818]  schedule+0x5a/0xd0
    [    9.790156]  </TASK>
    [   10.813087] INFO: task kfault-hung:139 blocked for more than 7 seconds.
    [   10.813306]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [   10.813392] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [   10.813478] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [   10.813603] Call Trace:
    [   10.813641]  <TASK>
    [   10.813739]  __schedule+0x34d/0xa00
    [   10.813848]  ? hard+0x10/0x10 [kfault]
    [   10.813908]  schedule+0x5a/0xd0
    [   10.814161]  </TASK>
    [   11.837030] INFO: task kfault-hung:139 blocked for more than 8 seconds.
    [   11.837237]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [   11.837325] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [   11.837411] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [   11.837533] Call Trace:
    [   11.837572]  <TASK>
    [   11.837621]  __schedule+0x34d/0xa00
    [   11.838031]  ? hard+0x10/0x10 [kfault]
    [   11.838100]  schedule+0x5a/0xd0
    [   11.838359]  </TASK>
    [   12.861057] INFO: task kfault-hung:139 blocked for more than 9 seconds.
    [   12.861279]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [   12.861367] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [   12.861455] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [   12.861578] Call Trace:
    [   12.861619]  <TASK>
    [   12.861667]  __schedule+0x34d/0xa00
    [   12.861872]  ? hard+0x10/0x10 [kfault]
    [   12.861956]  schedule+0x5a/0xd0
    [   12.862218]  </TASK>
    [   13.885015] INFO: task kfault-hung:139 blocked for more than 10 seconds.
    [   13.885236]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [   13.885323] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [   13.885432] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [   13.885555] Call Trace:
    [   13.885595]  <TASK>
    [   13.885641]  __schedule+0x34d/0xa00
    [   13.885785]  ? hard+0x10/0x10 [kfault]
    [   13.885846]  schedule+0x5a/0xd0
    [   13.886099]  </TASK>
    [   14.909183] INFO: task kfault-hung:139 blocked for more than 11 seconds.
    [   14.909403]       Tainted: G           OE      6.1.0-56-amd64 #1 Debian 6.1.192-2
    [   14.909492] "echo 0 > /proc/sys/kernel/hung_task_timeout_secs" disables this message.
    [   14.909579] task:kfault-hung     state:D stack:0     pid:139   ppid:2      flags:0x00004000
    [   14.909746] Call Trace:
    [   14.909834]  <TASK>
    [   14.909909]  __schedule+0x34d/0xa00
    [   14.910002]  ? hard+0x10/0x10 [kfault]
    [   14.910063]  schedule+0x5a/0xd0
    [   14.910319]  </TASK>

    """

  static let lockups = """
    [    9.426322] rcu: INFO: rcu_preempt self-detected stall on CPU
    [    9.426680] rcu: 	0-....: (1442 ticks this GP) idle=c41c/1/0x4000000000000000 softirq=314/318 fqs=727
    [    9.426873] 	(t=1500 jiffies g=-567 q=34 ncpus=2)
    [    9.427306] CPU: 0 PID: 139 Comm: kfault-soft Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [    9.429038] Call Trace:
    [    9.429432]  <TASK>
    [    9.429517]  kthread+0xd7/0x100
    [    9.429644]  ? kthread_complete_and_exit+0x20/0x20
    [    9.429730]  ret_from_fork+0x1f/0x30
    [    9.429809]  </TASK>
    [   19.176576] watchdog: BUG: soft lockup - CPU#0 stuck for 15s! [kfault-soft:139]
    [   19.177474] CPU: 0 PID: 139 Comm: kfault-soft Tainted: G           OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   19.178694] Call Trace:
    [   19.178744]  <TASK>
    [   19.178776]  kthread+0xd7/0x100
    [   19.178836]  ? kthread_complete_and_exit+0x20/0x20
    [   19.178911]  ret_from_fork+0x1f/0x30
    [   19.178969]  </TASK>
    [   27.438858] rcu: INFO: rcu_preempt self-detected stall on CPU
    [   27.439090] rcu: 	0-....: (5605 ticks this GP) idle=c41c/1/0x4000000000000000 softirq=314/318 fqs=2855
    [   27.439219] 	(t=6003 jiffies g=-567 q=34 ncpus=2)
    [   27.439298] CPU: 0 PID: 139 Comm: kfault-soft Tainted: G           OEL     6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   27.440557] Call Trace:
    [   27.440606]  <TASK>
    [   27.440639]  kthread+0xd7/0x100
    [   27.440701]  ? kthread_complete_and_exit+0x20/0x20
    [   27.440778]  ret_from_fork+0x1f/0x30
    [   27.440836]  </TASK>
    [   38.372600] watchdog: BUG: soft lockup - CPU#0 stuck for 33s! [kfault-soft:139]
    [   38.373888] CPU: 0 PID: 139 Comm: kfault-soft Tainted: G           OEL     6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   38.375737] Call Trace:
    [   38.375800]  <TASK>
    [   38.375844]  kthread+0xd7/0x100
    [   38.375939]  ? kthread_complete_and_exit+0x20/0x20
    [   38.376041]  ret_from_fork+0x1f/0x30
    [   38.376118]  </TASK>

    """

  static let outOfMemory = """
    [   68.502042] head invoked oom-killer: gfp_mask=0x500cc2(GFP_HIGHUSER|__GFP_ACCOUNT), order=0, oom_score_adj=0
    [   68.502491] CPU: 0 PID: 150 Comm: head Tainted: G        W  OE      6.1.0-56-amd64 #1  Debian 6.1.192-2
    [   68.502719] Call Trace:
    [   68.502776]  <TASK>
    [   68.502820]  dump_stack_lvl+0x44/0x5c
    [   68.502893]  dump_header+0x4c/0x22b
    [   68.502943]  oom_kill_process.cold+0xb/0x10
    [   68.505015]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
    [   68.506651]  </TASK>
    [   68.506915]  active_file:0 inactive_file:0 isolated_file:0
    [   68.506915]  unevictable:0 dirty:0 writeback:0
    [   68.506915]  slab_reclaimable:2316 slab_unreclaimable:2074
    [   68.506915]  mapped:889 shmem:2315 pagetables:131
    [   68.506915]  sec_pagetables:0 bounce:0
    [   68.506915]  kernel_misc_reclaimable:0
    [   68.506915]  free:772 free_pcp:127 free_cma:0
    [   68.510879] 2315 total pagecache pages
    [   68.510939] 0 pages in swap cache
    [   68.511008] Free swap  = 0kB
    [   68.511046] Total swap = 0kB
    [   68.511112] 65390 pages RAM
    [   68.511148] 0 pages HighMem/MovableOnly
    [   68.511195] 12780 pages reserved
    [   68.511236] 0 pages hwpoisoned
    [   68.511294] Tasks state (memory values in pages):
    [   68.511351] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
    [   68.511561] [    125]     0   125     1133      351    45056        0             0 dropbear
    [   68.511672] [    128]     0   128      565        1    28672        0             0 getty
    [   68.511802] [    148]     0   148     1133      518    45056        0             0 dropbear
    [   68.511898] [    149]     0   149      565        1    28672        0             0 sh
    [   68.511988] [    150]     0   150      565       20    28672        0             0 head
    [   68.512080] [    151]     0   151    42754    42550   376832        0             0 tail
    [   68.512184] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=tail,pid=151,uid=0
    [   68.513012] Out of memory: Killed process 151 (tail) total-vm:171016kB, anon-rss:168852kB, file-rss:4kB, shmem-rss:1344kB, UID:0 pgtables:368kB oom_score_adj:0
    [   70.617445] oom_reaper: reaped process 151 (tail), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB

    """

  static let hardwareProtection = """
    [    4.023630] reboot: HARDWARE PROTECTION shutdown (Temperature too high)

    The system is going down NOW!

    Sent SIGTERM to all processes

    Sent SIGKILL to all processes

    Requesting system poweroff
    [    6.052648] reboot: Hardware protection timed-out. Trying forced poweroff
    [    6.106002] ACPI: PM: Preparing to enter system sleep state S5
    [    6.106943] reboot: Power down

    """

  static let reboot = """

    The system is going down NOW!

    Sent SIGTERM to all processes

    Sent SIGKILL to all processes

    Requesting system reboot
    [    6.798920] ACPI: PM: Preparing to enter system sleep state S5
    [    6.799694] reboot: Restarting system
    [    6.799782] reboot: machine restart


    det-reboot login:

    """

  static let powerOff = """

    Sent SIGTERM to all processes

    Sent SIGKILL to all processes

    Requesting system poweroff
    [    6.993861] ACPI: PM: Preparing to enter system sleep state S5
    [    6.994951] reboot: Power down

    """

  static let softwareWatchdog = """
    [    3.223704] softdog: initialized. soft_noboot=0 soft_margin=2 sec soft_panic=0 (nowayout=0)
    [    3.223965] softdog:              soft_reboot_cmd=<not set> soft_active_on_boot=0
    [    3.230553] watchdog: watchdog1: watchdog did not stop!
    [    5.231585] softdog: Initiating system reboot


    det-softdog login:

    """

}
