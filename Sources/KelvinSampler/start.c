// Where the kernel begins the program: hands the stack over, aligned, and nothing else.
#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n mov x29, #0\n mov x30, #0\n mov x0, sp\n and sp, x0, #-16\n b begin\n");
#elif defined(__arm__)
__asm__(".arm\n.globl _start\n_start:\n mov fp, #0\n mov lr, #0\n mov r0, sp\n bic ip, sp, #7\n"
        " mov sp, ip\n b begin\n");
#endif
