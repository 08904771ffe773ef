#!/bin/sh
# Makes the root directory of a container image with one program and the libraries that it loads:
#
#   sh deploy/rootfs.sh PROGRAM DIRECTORY
#
# The program may load the C library and the compiler's runtime (libgcc_s) only. Any other library
# would need updates of its own, and is an error.
set -eu
program=$1
root=$2

mkdir -p "$root/usr/local/bin" "$root/etc/ssl/certs" "$root/tmp" "$root/var/lib/portcullis"
chmod 1777 "$root/tmp"
chmod 700 "$root/var/lib/portcullis"
cp "$program" "$root/usr/local/bin/"

# Each line is `NAME => PATH (ADDRESS)`, the loader's alone is `PATH (ADDRESS)`.
ldd "$program" | sed -n 's/.*=> //; s/^[[:space:]]*//; s/ (0x[0-9a-f]*)$//; /^\//p' |
while read -r library; do
    case $(basename "$library") in
    libc.so.6 | libm.so.6 | libgcc_s.so.1 | ld-linux-*.so.*) ;;
    *)
        echo "rootfs.sh: $program loads $library, which the image would not have" >&2
        exit 1
        ;;
    esac
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

# The user needs no name to run the program, but some programs look the name up.
echo 'portcullis:x:65532:65532::/var/lib/portcullis:/sbin/nologin' > "$root/etc/passwd"
echo 'portcullis:x:65532:' > "$root/etc/group"
# Names are looked up in /etc/hosts, which the container engine writes, and then by DNS.
echo 'hosts: files dns' > "$root/etc/nsswitch.conf"
# For a PostgreSQL with sslmode=verify-full and a public certificate.
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
fi
