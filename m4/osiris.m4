# Osiris's own configure macros.

# OSIRIS_WARNINGS: --enable-werror, and the warnings themselves, each probed.
AC_DEFUN([OSIRIS_WARNINGS], [
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat warnings as errors (for development)])],
    [], [enable_werror=no])
  WARNING_CFLAGS=
  for flag in -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
              -Wwrite-strings -Wvla -Wformat=2 -Wundef; do
    OSIRIS_TRY_FLAG([$flag])
  done
  AS_IF([test "x$enable_werror" = xyes], [OSIRIS_TRY_FLAG([-Werror])])
  AC_SUBST([WARNING_CFLAGS])
])

AC_DEFUN([OSIRIS_TRY_FLAG], [
  osiris_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS $1 -Werror"
  AC_MSG_CHECKING([whether $CC accepts $1])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
    [AC_MSG_RESULT([yes]); WARNING_CFLAGS="$WARNING_CFLAGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS=$osiris_saved_CFLAGS
])

# OSIRIS_SANITIZERS: --enable-sanitizers=address,undefined | thread | …
AC_DEFUN([OSIRIS_SANITIZERS], [
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers=LIST], [build with -fsanitize=LIST (address,undefined by default)])],
    [], [enable_sanitizers=no])
  AS_CASE([$enable_sanitizers], [yes], [enable_sanitizers=address,undefined])
  SANITIZER_CFLAGS=
  AS_IF([test "x$enable_sanitizers" != xno], [
    osiris_saved_CFLAGS=$CFLAGS
    SANITIZER_CFLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=all"
    CFLAGS="$CFLAGS $SANITIZER_CFLAGS"
    AC_MSG_CHECKING([whether $CC can link with -fsanitize=$enable_sanitizers])
    AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no]); AC_MSG_ERROR([--enable-sanitizers=$enable_sanitizers was asked for and $CC cannot])])
    CFLAGS=$osiris_saved_CFLAGS
  ])
  AC_SUBST([SANITIZER_CFLAGS])
  AM_CONDITIONAL([SANITIZED], [test "x$enable_sanitizers" != xno])
])

# OSIRIS_LIBLTDL: the system's libltdl; there is no bundled copy.
AC_DEFUN([OSIRIS_LIBLTDL], [
  osiris_ltdl=no
  AC_CHECK_HEADER([ltdl.h],
    [AC_CHECK_LIB([ltdl], [lt_dlmakeresident], [osiris_ltdl=yes])])
  AS_IF([test "x$osiris_ltdl" = xno],
    [AC_MSG_ERROR([libltdl is needed (Debian: libltdl-dev, Fedora: libtool-ltdl-devel)])])
  AC_SUBST([LTDL_LIBS], [-lltdl])
])

# OSIRIS_MSGPACK: msgpack-c's C library, which is "msgpack" on Debian 12 and "msgpack-c" elsewhere.
AC_DEFUN([OSIRIS_MSGPACK], [
  PKG_CHECK_MODULES([MSGPACK], [msgpack-c >= 3.1], [],
    [PKG_CHECK_MODULES([MSGPACK], [msgpack >= 3.1], [],
      [AC_MSG_ERROR([msgpack-c is needed (Debian: libmsgpack-dev or libmsgpack-c-dev, Fedora: msgpack-devel)])])])
])

# OSIRIS_DEPENDENCY(name, PREFIX, module, what it is for, Debian package): --with-name=auto|yes|no
AC_DEFUN([OSIRIS_DEPENDENCY], [
  AC_ARG_WITH([$1],
    [AS_HELP_STRING([--with-$1=auto|yes|no], [$4 @<:@auto@:>@])],
    [], [with_$1=auto])
  AS_CASE([$with_$1], [auto|yes|no], [], [AC_MSG_ERROR([--with-$1 takes auto, yes or no])])
  osiris_have_$1=no
  osiris_why_$1="turned off"
  AS_IF([test "x$with_$1" != xno], [
    PKG_CHECK_MODULES([$2], [$3], [osiris_have_$1=yes; osiris_why_$1=],
      [osiris_why_$1="$3 not found; Debian: $5"
       AS_IF([test "x$with_$1" = xyes],
         [AC_MSG_ERROR([--with-$1 was asked for, but $3 was not found (Debian: $5)])])])
  ])
  AM_CONDITIONAL([HAVE_$2], [test "x$osiris_have_$1" = xyes])
])

# OSIRIS_MYSQL_PLUGIN_DIR: where libmariadb looks for its plug-ins, which a bundle needs, too. pkg-config does not know it.
AC_DEFUN([OSIRIS_MYSQL_PLUGIN_DIR], [
  AC_ARG_VAR([MYSQL_PLUGIN_DIR], [folder of libmariadb's plug-ins for authentication])
  AS_IF([test "x$osiris_have_mysql" = xyes && test "x$MYSQL_PLUGIN_DIR" = x], [
    AC_PATH_PROG([MARIADB_CONFIG], [mariadb_config], [no])
    AS_IF([test "x$MARIADB_CONFIG" != xno], [MYSQL_PLUGIN_DIR=$("$MARIADB_CONFIG" --plugindir 2>/dev/null)])
    AS_CASE([$MYSQL_PLUGIN_DIR], [/*], [],
      [MYSQL_PLUGIN_DIR=$("$PKG_CONFIG" --variable=libdir libmariadb)/mariadb/plugin])
  ])
])

# OSIRIS_BUNDLE: bundles need libelf, zlib and glibc's dynamic loader.
AC_DEFUN([OSIRIS_BUNDLE], [
  osiris_have_bundle=no
  osiris_why_bundle=
  AC_CHECK_HEADER([gnu/libc-version.h], [], [osiris_why_bundle="the C library is not glibc"])
  AS_IF([test "x$osiris_have_elf" != xyes], [osiris_why_bundle="no libelf: $osiris_why_elf"],
        [test "x$osiris_have_zlib" != xyes], [osiris_why_bundle="no zlib: $osiris_why_zlib"],
        [test "x$osiris_why_bundle" = x], [osiris_have_bundle=yes])
  AS_IF([test "x$with_elf" = xyes && test "x$osiris_have_bundle" = xno],
    [AC_MSG_ERROR([--with-elf was asked for, but there can be no osiris bundle: $osiris_why_bundle])])
  AS_IF([test "x$osiris_have_bundle" = xyes],
    [AC_DEFINE([HAVE_BUNDLE], [1], [Define to 1 if osiris can make bundles.])])
  AM_CONDITIONAL([HAVE_BUNDLE], [test "x$osiris_have_bundle" = xyes])
])

AC_DEFUN([OSIRIS_SUMMARY_LINE], [
  AS_IF([test "x$osiris_have_$1" = xyes], [AC_MSG_NOTICE([  $2 yes])],
        [AC_MSG_NOTICE([  $2 no ($osiris_why_$1)])])
])

AC_DEFUN([OSIRIS_SUMMARY], [
  AC_MSG_NOTICE([])
  AC_MSG_NOTICE([osiris $PACKAGE_VERSION])
  AC_MSG_NOTICE([  prefix:            $prefix])
  AC_MSG_NOTICE([  compiler:          $CC $CFLAGS])
  AC_MSG_NOTICE([  warnings fatal:    $enable_werror])
  AC_MSG_NOTICE([  sanitizers:        $enable_sanitizers])
  AC_MSG_NOTICE([  drivers folder:    $driverdir])
  AC_MSG_NOTICE([  adapter local:     yes])
  AC_MSG_NOTICE([  driver csv:        yes])
  OSIRIS_SUMMARY_LINE([mysql], [driver mysql:     ])
  OSIRIS_SUMMARY_LINE([lz4], [streams with lz4: ])
  OSIRIS_SUMMARY_LINE([zstd], [zstd, csv too:    ])
  OSIRIS_SUMMARY_LINE([zlib], [csv with gzip:    ])
  OSIRIS_SUMMARY_LINE([bundle], [osiris bundle:    ])
  OSIRIS_SUMMARY_LINE([check], [unit tests:       ])
  AC_MSG_NOTICE([])
])
