"""The programs that a new queue can come with: what to try first, and what to copy from."""

from __future__ import annotations

PROGRAMS = {
    "test build": """\
; Write, compile and test a small program, with the compiler of this machine.
; A step of its own for each: cit-show tells what every one took.
(isolate
  (chroot "host")
  (sequence
    (exec "/bin/sh" ("-ec" "cat >gcd.c <<end
unsigned long gcd(unsigned long a, unsigned long b)
{
    while (b) {
        unsigned long rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}
end") () null)
    (exec "/bin/sh" ("-ec" "cat >test.c <<end
#include <assert.h>
#include <stdio.h>

unsigned long gcd(unsigned long, unsigned long);

int main(void)
{
    assert(gcd(12, 18) == 6);
    assert(gcd(17, 4711) == 1);
    assert(gcd(0, 5) == 5 && gcd(5, 0) == 5);
    assert(gcd(gcd(8, 12), 20) == 4);
    return puts(\\"all is well\\") < 0;
}
end") () null)
    (exec "/usr/bin/cc" ("-O2" "-Wall" "-Werror" "-o" "test" "test.c" "gcd.c") () 300)
    (exec "./test" () () 60)))
""",
    "test chroot": """\
(isolate
  (chroot "busybox")
  (exec "/bin/ls"
    ("/bin")
    () null))
""",
    # It also tests whether a container can talk to the daemon that it came from.
    "test container": """\
(isolate
  (docker "docker:cli")
  (exec "/usr/local/bin/docker"
    ("ps")
    () null))
""",
}
