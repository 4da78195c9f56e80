"""The stack that libraries take, out of the linked program itself: they are built without the
compiler's account (stack_paths.py). Linked once more with its relocations kept, the program is the
same code with all names. A frame is the sum of all that a function's instructions take off the
stack pointer, which is at least what it holds at once; calls are branches that leave a function.

A call through a pointer in a library is answered by a row of POINTERS: by who calls and what the
program's tables have at the offset it loads, or by name. The net below: each function whose address
is taken somewhere must be called by somebody here, or stand in NOT_CALLED, and whoever calls by a
pointer that lies in a structure must have a row. That a row names all whom it should is not proven
by that. ARM only."""

import bisect
import collections
import pathlib
import re
import shlex
import struct
import subprocess
import sys

from stack_paths import ROOT, Graph

sys.path.insert(0, str(ROOT / "tests" / "live"))

import link_map  # noqa: E402

sys.setrecursionlimit(20_000)  # a path through the program is that of a search here

FLOORS = {"common": "common", "probes": "probes", "linux": "boards/linux", "firmware": "firmware"}
FILTER, TLS = r"Curl_cft_\w+", r"Curl_ssl_mbedtls"
# (library, who calls): (tables it may look into, others it may reach), patterns all. The first that
# fits counts. A pointer variable is followed to what it holds at the start, an allocator.
POINTERS = [
    ("curl", r"Curl_creader.*|cr_.*|cl_reset_reader|do_init_reader_stack|Curl_client_start",
     r"cr_\w+|Curl_httpchunk_encoder", r"Curl_creader_def_\w+|cr_\w+_(rewind|unpause)"),
    ("curl", r"Curl_cwriter.*|Curl_client_\w+|cl_reset_writer|cw_.*|do_init_writer.*|error_do_write"
     r"|httpchunk_readwrite",
     r"(Curl_)?cwt?_\w+|\w*(un|identity_)encod\w+|error_writer|hds_cw_collect",
     r"probes/http_transfer\.c:take_(body|header)"
     r"|boards/linux/push_transport\.c:on_body"),
    ("curl", r"mbed_configure_ssl", "",
     r"probes/http_transfer\.c:set_up_tls|boards/linux/push_transport\.c:on_tls_config"),
    ("curl", r"ssl_cf_.*", f"{TLS}|{FILTER}", r"mbedtls_data_pending"),
    ("curl", r"Curl_ssl_.*|multissl.*|Curl_pin.*|cf_ssl_s.*|Curl_getinfo", f"{TLS}|Curl_ssl_multi",
     ""),
    ("curl", r"multi_runsingle", r"Curl_protocol_http",
     r"probes/http_transfer\.c:before_request"),
    ("curl", r"Curl_xfer_write_resp\w*", "", r"Curl_http_write_resp_hd|Curl_http_write_resp"),
    ("curl", r"curl_version_info", "", r"https_proxy_present"),
    ("curl", r"(Curl_)?multi_\w+|Curl_connect|output_auth.*|cshutdn.*"
     r"|Curl_attach_connection|Curl_cpool_conn_seems_healthy", r"Curl_protocol_http", ""),
    ("curl", r"Curl_conn_cf_cntrl", "", r"\w*cf_\w*cntrl"),
    ("curl", r"Curl_get\w*_scheme", "", r"\w+_letter_scheme"),
    ("curl", r"Curl_vsetopt|setopt_(cptr|long)", "", r"setopt_(cptr|long)_\w+"),
    ("curl", r"mstate", "", r"mstate_enter_\w+"),
    ("curl", r"Curl_(conn|xfer)_(send|recv)", "", r"Curl_cf_(send|recv)"),
    ("curl", r"Curl_HMAC.*", r"Curl_HMAC_SHA256", ""),
    ("curl", r"Curl_hash_.*|hash_.*|node_uremove|uint32_tbl_\w+", "",
     r"Curl_hash_str|curlx_str_key_compare|mev_sh_entry_\w+|\w+_dtor|\w+freeentry|\w+_free_entry"
     r"|dnscache_entry_is_stale|cf_ssl_scache_session_ldestroy|ph_freeentry"),
    ("curl", r"Curl_cpool_find", "", r"url_match_\w+"),
    ("curl", r"Curl_cpool_do_locked", "", r"multi_done_locked"),
    ("curl", r"cpool_foreach", "", r"cpool_(find_conn|mark_stale|reap_\w+)"),
    ("curl", r"Curl_bufq_\w+", "", r"add_from_client|cf_bufq_\w+"),
    ("curl", r"formatf|out_\w+", "", r"addbyter|alloc_addbyter|fputc_wrapper|storebuffer"),
    ("curl", r"Curl_update_timer|mev_\w+", "", r"probes/curl_waits\.c:\w+"),
    ("curl", r"cf_socket_\w+|socket_(open|close)", FILTER,
     r"(probes/http_transfer|boards/linux/push_transport)\.c:(open|close)_socket"),
    ("curl", r"cf_ip_(attempt|ballers|happy)_\w+", FILTER, r"Curl_cf_tcp_create"),
    # Options and events that nobody asks for.
    ("curl", r"Curl_(debug|resolv_announce_start|mntfy_dispatch_all)|pgrs_update|trc_write"
     r"|(Curl_)?share_\w+|add_chunk", "", ""),
    ("curl", r".*cf.*|Curl_conn.*", FILTER, ""),
    ("mbedtls", r"mbedtls_cipher_\w+|mbedtls_(gcm|ccm)_\w+|gcm_\w+|psa_\w+", r"\w+_info",
     r"(add|get)_\w+_padding|get_no_padding|mbedtls_get_pkcs_padding"),
    ("mbedtls", r"mbedtls_pk_\w+", r"mbedtls_(rsa|eckey|eckeydh|ecdsa)_info", ""),
    ("mbedtls", r"mbedtls_ssl_(flush_output|fetch_input|read|write|close_notify)", "",
     r"curl:mbedtls_bio_cf_\w+|probes/tls_session\.c:(send|receive)_bytes"),
    ("mbedtls", r"x509_\w+|mbedtls_x509_\w+|mbedtls_ssl_verify\w*", "",
     r"certinfo_verify|curl:mbed_verify_cb|boards/linux/push_transport\.c:verify_receiver"),
    ("mbedtls", r"mbedtls_asn1_\w+", "", r"asn1_get_sequence_of_cb"),
    ("mbedtls", r"mbedtls_entropy_\w+|entropy_\w+", "", r"mbedtls_platform_entropy_poll"),
    ("mbedtls", r"(mbedtls_)?(ctr|hmac)_drbg_\w+", "", r"mbedtls_entropy_func"),
    ("mbedtls", r"(mbedtls_)?ecp_\w+|mbedtls_mpi_mul_mod", "", r"ecp_mod_\w+"),
    ("mbedtls", r"(mbedtls_)?psa_(random|status)\w*|local_err\w+|mbedtls_to_psa\w+", "",
     r"mbedtls_entropy_(init|free)|psa_generic_status_to_mbedtls"),
    ("mbedtls", r"ssl_calc_finished\w+", "", r"tls_prf_\w+"),
    ("mbedtls", r"(mbedtls_)?(ssl|tls)_\w+", "",
     r"ssl_(calc|update)_\w+|tls_prf_\w+|psa_generic_status_to_mbedtls"),
    ("mbedtls", r"mbedtls_mpi_core_fill_random|(mbedtls_)?rsa_rsa\w+", "",
     r"mbedtls_psa_get_random|mbedtls_\w+_drbg_random"),
    ("c-ares", r"ares_(send|query|cancel|destroy|flush|end|getaddrinfo|process|host|invoke).*"
     r"|end_h?query|invoke_\w+|host_\w+", "",
     r"ares_query_dnsrec_cb|host_callback|server_probe_cb"
     r"|boards/linux/cares_resolver\.c:on_answer|curl:async_ares_A+_cb"),
    ("c-ares", r"ares_(conn|socket|sconfig|sock)_\w+", "",
     r"default_a\w+|boards/linux/cares_resolver\.c:on_socket_state|curl:sock_state_cb"),
    ("c-ares", r"ares_ev\w+|ares_open_connection", "", ""),
    ("c-ares", r"ares_slist\w*", "",
     r"server_(destroy|sort)_cb|ares_query_timeout_cmp_cb|ares_qcache_entry_\w+_cb"),
    ("c-ares", r"ares_llist\w*", "",
     r"ares_hosts_entry_destroy_cb|ares_free|ares_dns_labels_free_cb|ares_nameoffset_free"),
    ("c-ares", r"ares_(array|free_array)\w*", "", r"ares_dns_\w+_free_cb|ares_buf_destroy_cb"
     r"|ares_free|ares_free_split_array"),
    ("c-ares", r"ares_sortaddrinfo", "", r"rfc6724_compare"),
    ("c-ares", r"ares_htable\w*", "", r"bucket_\w+|hash_func|key_eq"),
    ("c-ares", r"bucket_free", "", r"ares_free|ares_hosts_entry_destroy_cb"),
    ("c-ares", r"ares_uri_\w+", "", r"ares_uri_chis_\w+"),
    ("c-ares", r"ares_sysconfig_\w+", "", r"parse_\w+_line|ares_sysconfig_parse_resolv_line"),
    ("pcre2", r"do_callout|match.*", "", r"probes/pattern\.c:count_work"),
    ("pcre2", r".*", r"_pcre2_default_\w+_context_8", r"default_\w+"),
    ("modbus", r"_modbus_rtu_send", "", r"_modbus_rtu_ioctl_rts"),
    ("modbus", r"(?!_modbus_(rtu|tcp)).*", "", r"_modbus_(rtu|tcp)_\w+|_modbus_set_slave"),
    ("microhttpd", r"call_connection_handler", "", r"firmware/page_server\.c:answer_request"),
    ("microhttpd", r"MHD_destroy_response", "", r"firmware/page_server\.c:end_reading"),
    ("microhttpd", r"new_connection_\w+|cleanup_connection|MHD_cleanup_connections|close_\w+", "",
     r"firmware/page_server\.c:note_connection"),
    ("microhttpd", r"MHD_connection_\w+|handle_\w+|\w*recv\w*|do_\w+", "",
     r"recv_param_adapter|connection_add_header|unescape_wrapper"),
    ("microhttpd", r"MHD_parse_arguments_", "", r"connection_add_header|unescape_wrapper"),
    ("microhttpd", r".*", "", r"mhd_panic_std"),
    ("libc", r"bsearch", "", r"curl:tzcompare"),
    ("libc", r"t(search|find|delete)", "", r"microhttpd:MHD_ip_addr_compare"),
    ("inih", r".*", "", r"common/config_lines\.c:\w+"),
    ("libc", r"sift|trinkle|qsort\w*|__qsort_r", "",
     r"wrapper_cmp|sort|boards/linux/config_file\.c:compare_paths"
     r"|firmware/store_incident\.c:by_time"),
    ("libc", r"do_glob", "", r"ignore_err|boards/linux/config_file\.c:is_serious"),
    ("libc", r"__clone|start\w*|pthread\w*|__synccall|handler", "",
     r"child|checker|do_set\w+|dummy"),
    ("libc", r"(__)?clock_gettime\w*", "", r"cgt_\w+"),
    ("libc", r"wrapper_cmp", "",
     r"boards/linux/config_file\.c:compare_paths|firmware/store_incident\.c:by_time"),
    ("libc", r"cgt_\w+|frexp|ms_\w+|__dls\w*", "", ""),
    ("libc", r"child|posix_spawn", "", r"execve"),
    ("libc", r"__(rtnetlink|netlink)\w+", "", r"netlink_msg_to_ifaddr"),
    ("libc", r"vf?s?scanf|__shgetc|__uflow|__toread", r"__std\w+_FILE",
     r"string_read|__stdio_read"),
    ("libc", r".*", r"__std\w+_FILE", r"__stdio_\w+|sn_write|ms_\w+|__stdout_write"),
]

# What is called by the system, by verbs that have processes of their own, to say what nobody hears,
# in threads that nobody starts, or on a thread as its first.
NOT_CALLED = re.compile(
    r"main|cmd_\w+|modbus_thread_main|boards/linux/blockfile\.c:thread_main"
    r"|firmware/(cmd_probe\.c:session|store_prom\.c:)\w*"
    r"|microhttpd:(MHD_polling_thread|thread_main_handle_connection)"
    r"|c-ares:(ares_ev\w+|ares_pipeevent_\w+|notify\w+)"
    r"|libc:(__dls2|__restore\w*|cleanup|handler|libc_start_main_stage2|start|start_c11)"
    r"|mbedtls:(aes_setkey_dec_wrap|\w+_debug)")
# What nobody enters, and why. A test holds the reason against the sources.
NEVER = {"curl:trc_infof": "CURLOPT_VERBOSE", "curl:socks_proxy_cf_connect": "socks",
         "curl:cf_haproxy_connect": "CURLOPT_HAPROXYPROTOCOL"}
NESTED = int(re.search(r"NESTED_GROUPS = (\d+)",
                       (ROOT / "probes/pattern.c").read_text()).group(1))
# A member of each circle: how often it is gone round at most, and why.
FILTERS = "each filter of a connection once, that of TLS twice, and those that send for one more"
CLASSES = "the next group is of a larger class, by four times and more, up to half a page"
ROUNDS = {
    "libc:alloc_slot": (4, CLASSES), "libc:nontrivial_free": (4, CLASSES),
    "libc:fflush": (2, "all files, then each"), "libc:frexp.localalias": (2, "a denormal, once"),
    "libc:ms_write": (2, "what is buffered, first"), "libc:__clone": (1, "a label, no call"),
    "libc:inet_pton.localalias": (2, "IPv4 within IPv6"),
    "libc:convert_ioctl_struct": (2, "there and back"),
    "libc:do_glob": (16, "an include's folders with wildcards, of which nobody has more"),
    "curl:formatf": (1, "for a number with a point only, of which none of its texts has one"),
    "curl:Curl_close": (2, "the handle of its own"),
    "curl:multissl_init": (2, "there is one library for TLS"),
    "curl:multissl_random": (2, "there is one library for TLS"),
    "curl:multissl_get_internals": (2, "there is one library for TLS"),
    **{f"curl:{name}": (3, FILTERS) for name in (
        "Curl_cf_def_query", "cf_ssl_is_alive", "Curl_conn_cf_adjust_pollset", "cf_hc_shutdown",
        "Curl_cf_def_conn_keep_alive", "Curl_cf_def_data_pending", "Curl_conn_cf_connect",
        "Curl_conn_cf_cntrl")},
    "curl:Curl_conn_cf_discard_chain": (2, "cf_hc's own filters, then cf_ip_happy's of those"),
    **{f"curl:{name}": (2, "each writer or reader of a transfer once") for name in (
        "Curl_cwriter_add", "Curl_creader_read", "do_init_reader_stack",
        "Curl_creader_def_total_length")},
    "curl:getASN1Element_": (17, "curl's CURL_ASN1_MAX_RECURSIONS"),
    "curl:cw_out_flush_chain": (8, "a buffer for each kind of write"),
    "curl:Curl_cpool_get_conn": (2, "a connection that is dead ends while one is looked for"),
    "microhttpd:MHD_connection_handle_idle": (2, "it is not entered again (in_idle)"),
    "microhttpd:parse_options_va": (1, "for options in an array, which ours are not"),
    "microhttpd:MHD_stop_daemon": (1, "those of a pool of threads, which there is not"),
    "modbus:_modbus_receive_msg": (2, "what failed is closed, or connected anew, once"),
    "c-ares:ares_requeue_query": (9, "three tries with each of three servers"),
    "c-ares:ares_sconfig_append_fromstr": (2, "a server's URI"),
    "c-ares:ares_llist_destroy": (2, "the lists of an entry of a list"),
    "c-ares:ares_array_destroy": (3, "records, their options, their strings"),
    **{f"mbedtls:mbedtls_{name}": (2, "the cipher's mode runs the cipher") for name in (
        "cipher_update", "cipher_free", "cipher_setkey")},
    **{f"pcre2:{name}": (NESTED + 1, "NESTED_GROUPS, and the pattern itself") for name in (
        "compile_regex", "is_anchored", "is_startline", "find_firstassertedcu")},
    "pcre2:compile_eclass_nested": (15, "PCRE2's ECLASS_NEST_LIMIT"),
    # A pattern can be written that makes these call themselves until PCRE2 gives up, after 1000
    # calls, 2000 in the third: 300 KiB of the 8 MiB that the thread has then, while the
    # configuration is read. What is counted is one level.
    **{f"pcre2:{name}": (1, "not bounded by 32 KiB") for name in (
        "compare_opcodes.isra.0", "find_minlength", "get_branchlength", "set_start_bits.isra.0")},
}
# Pointer variables of a library, which it follows anywhere.
VARIABLES = {"curl": r"Curl_c\w+", "c-ares": r"__ares_\w+", "mbedtls": r"mbedtls_mutex_\w+"}

SYMBOL = re.compile(r" *\d+: ([0-9a-f]+) +(\w+) (\w+) +(\w+) +\w+ +\w+ ?(\S*)$")
HEAD = re.compile(r"([0-9a-f]+) <.+>:$")
INSTRUCTION = re.compile(r" *[0-9a-f]+:\t([a-z]\w*)[.\w]*\s*([^@;]*)")
RELOCATION = re.compile(r"([0-9a-f]+) +[0-9a-f]+ (R_ARM_\w+)(?: +([0-9a-f]+) )?")
TAKES = {"push": r"(\{.*\})", "vpush": r"(\{.*\})", "stmdb": r"sp!, (\{.*\})"}
REGISTERS = {"sl": 10, "fp": 11, "ip": 12, "sp": 13, "lr": 14, "pc": 15}


def registers(text):
    """Bytes of `{r4, r5-r8, lr}` or of `{d8-d9}`."""
    def number(name):
        return REGISTERS[name] if name in REGISTERS else int(name[1:])

    count = 0
    for part in text.strip("{}").split(","):
        first, _, last = part.strip().partition("-")
        count += number(last or first) - number(first) + 1
    return count * (8 if text.startswith("{d") else 4)


def taken(operation, operands):
    """Bytes that an instruction takes off the stack pointer; None when they are not constant."""
    if operation in TAKES:
        found = re.match(TAKES[operation], operands)
        return registers(found.group(1)) if found else 0
    if found := re.search(r"\[sp, #-(\d+)\]!", operands):
        return int(found.group(1))
    if operation in ("sub", "subw", "add", "mov") and operands.startswith("sp, "):
        if operands.split()[1] in ("r7", "ip"):  # back to where the frame began; _start's ip
            return 0
        constant = re.fullmatch(r"sp, (?:sp, )?#(\d+)\s*", operands)
        if constant is None:
            return None
        return int(constant.group(1)) if operation.startswith("sub") else 0
    return 0


class Program(Graph):
    """The graph of our own code and all that is linked below it. Names are those of Graph for our
    own functions, else `library:name`."""

    def __init__(self, build, folder):
        super().__init__(build)
        self.build = pathlib.Path(build)
        cache = (self.build / "CMakeCache.txt").read_text()
        self.tools = {name: re.search(rf"^CMAKE_{name}:\w+=(.*)$", cache, re.M).group(1)
                      for name in ("OBJDUMP", "READELF", "OBJCOPY")}
        self.path = pathlib.Path(folder) / "picketd"
        self.same_code = self.link()
        self.own = dict(self.frames)
        self.own_calls = {name: set(callees) for name, callees in self.calls.items()}
        self.sizes = collections.Counter()
        self.read_symbols()
        self.sites = self.disassemble()
        self.read_pointers()
        self.answer()
        for name in NEVER:
            for callees in self.calls.values():
                callees.discard(name)
        self.circles_known = {**self.circles_known, **ROUNDS}
        self.put_tls_below_tls()

    def tool(self, name, *arguments):
        return subprocess.run([self.tools[name], *map(str, arguments)], capture_output=True,
                              text=True, check=True).stdout

    def link(self):
        """Links again and keeps relocations; whether the code is the same bytes as that which
        ships."""
        folder = self.build / "firmware"
        words = shlex.split((folder / "CMakeFiles/picketd.dir/link.txt").read_text())
        words[words.index("-o") + 1] = str(self.path)
        words = [word for word in words if not word.startswith("-Wl,-Map=")]
        subprocess.run([*words, "-Wl,--emit-relocs"], cwd=folder, check=True)
        code = []
        for number, path in enumerate((self.path, self.build / "bin" / "picketd")):
            out = self.path.with_name(f"code{number}")
            self.tool("OBJCOPY", "-O", "binary", "--only-section=.text", path, out)
            code.append(out.read_bytes())
        return len(code[0]) > 100_000 and code[0] == code[1]

    def read_symbols(self):
        """Functions by address, with a name each, and objects by where they lie."""
        owners = link_map.code(self.build / "bin" / "picketd.map")
        firsts = [first for first, _, _ in owners]
        ours = {tuple(name.split("/")[-1].rpartition(":")[::2]): name for name in self.own
                if ":" in name}
        self.names, self.objects, file = {}, [], ""
        for line in self.tool("READELF", "-sW", self.path).splitlines():
            found = SYMBOL.match(line)
            if not found:
                continue
            address, size, kind, bind, name = found.groups()
            address = int(address, 16)
            if kind == "FILE":
                file = name
            elif kind == "OBJECT":
                self.objects.append((address, int(size, 0), name))
            elif kind == "FUNC":
                address &= ~1
                owner = owners[max(bisect.bisect_right(firsts, address) - 1, 0)][2]
                if owner in FLOORS:
                    name = ours.get((file, name), name) if bind == "LOCAL" else name
                else:
                    name = f"{owner}:{name}"
                if self.names.get(address) != name and name in self.names.values():
                    name = f"{name}@{address:x}"
                self.names.setdefault(address, name)
        self.objects.sort()
        self.starts = sorted(self.names)

    def function(self, address):
        return self.names[self.starts[max(bisect.bisect_right(self.starts, address) - 1, 0)]]

    def disassemble(self):
        """Frames and direct calls; returns [(function, offset or None)] of calls by a pointer."""
        sites, name, loads = [], None, {}
        for line in self.tool("OBJDUMP", "-d", "--no-show-raw-insn", self.path).splitlines():
            if head := HEAD.match(line):
                if int(head.group(1), 16) in self.names:
                    name, loads = self.names[int(head.group(1), 16)], {}
                continue
            found = INSTRUCTION.match(line)
            if not found or name is None:
                continue
            operation, operands = found.groups()
            size = taken(operation, operands)
            if size is None:
                self.dynamic.append(name)
            self.sizes[name] += size or 0
            self.follow_instruction(name, operation, operands.strip(), loads, sites)
        return sites

    def follow_instruction(self, name, operation, operands, loads, sites):
        branch = re.search(r"\b([0-9a-f]+) <", operands)
        if branch and (operation[0] == "b" or operation.startswith("cb")):
            callee = self.function(int(branch.group(1), 16))
            if callee != name or operation in ("bl", "blx"):
                self.calls.setdefault(name, set()).add(callee)
        elif operation in ("blx", "bx") and operands != "lr":
            sites.append((name, loads.get(operands)))
        elif found := re.match(r"(\w+), (?:(\w+), )?\[\w+(?:, #(\d+))?\]", operands):
            offset = int(found.group(3) or 0)
            loads[found.group(1)] = offset
            if operation.startswith("ldrd"):
                loads[found.group(2)] = offset + 4
        elif found := re.fullmatch(r"(\w+), (\w+)", operands):
            moved = operation.startswith("mov")
            loads[found.group(1)] = loads.get(found.group(2)) if moved else None

    def read_pointers(self):
        """tables: {object: {offset: function}}; at_start: what pointer variables hold; given: each
        function whose address is taken anywhere."""
        image, sections = self.path.read_bytes(), []
        for address, place, size in re.findall(
                r"\] \S+ +PROGBITS +(\w+) (\w+) (\w+)", self.tool("READELF", "-SW", self.path)):
            sections.append((int(address, 16), int(place, 16), int(size, 16)))
        self.tables, self.at_start, self.given = collections.defaultdict(dict), {}, set()
        firsts = [first for first, _, _ in self.objects]
        for address, kind, value in RELOCATION.findall(self.tool("READELF", "-rW", self.path)):
            address = int(address, 16)
            if kind in ("R_ARM_REL32", "R_ARM_GOT_BREL", "R_ARM_GOT_PREL") and value:
                self.given.add(self.names.get(int(value, 16) & ~1))
            if kind != "R_ARM_RELATIVE":
                continue
            first, place, size = next(area for area in sections
                                      if area[0] <= address < area[0] + area[2])
            target, = struct.unpack_from("<I", image, place + address - first)
            function = self.names.get(target & ~1)
            at = bisect.bisect_right(firsts, address) - 1
            if function is None or at < 0:
                continue
            first, size, name = self.objects[at]
            if address < first + size:
                self.given.add(function)
                self.tables[name][address - first] = function
                if size == 4:
                    self.at_start[name] = function
        self.given.discard(None)

    def answer(self):
        for name in self.names.values():
            self.frames[name] = max(self.sizes[name], self.own.get(name, 0))
        rows = [tuple(re.compile(part) if part else None for part in row) for row in POINTERS]
        self.no_row = []
        for caller, offset in self.sites:
            if caller in self.own:
                continue  # followed by its source
            library, _, function = caller.rpartition(":")
            held = VARIABLES.get(library, "")
            found = {value for name, value in self.at_start.items() if re.fullmatch(held, name)}
            for wanted, who, tables, others in rows:
                if wanted.fullmatch(library) and who.fullmatch(re.split("[.@]", function)[0]):
                    found |= {table[offset] for name, table in self.tables.items()
                              if tables and tables.fullmatch(name) and offset in table}
                    found |= {name for name in self.given if others and
                              others.fullmatch(self.plain_name(name, library))}
                    break
            else:
                if offset:  # in no pointer variable, which is loaded from where it lies
                    self.no_row.append(f"{caller} {offset}")
            self.calls.setdefault(caller, set()).update(found)

    def put_tls_below_tls(self):
        """A proxy is spoken to by TLS, and the server by TLS through it: what one writes or reads
        goes once through all that another takes, and from there to the socket."""
        below = {"curl:mbedtls_bio_cf_write": ("curl:Curl_conn_cf_send", "send"),
                 "curl:mbedtls_bio_cf_read": ("curl:Curl_conn_cf_recv", "recv")}
        for name, (chain, does) in below.items():
            self.calls[name].remove(chain)
            self.calls[name].add(f"curl:cf_socket_{does}")
        sizes = {name: self.frames[chain] + self.between(f"curl:ssl_cf_{does}", name)
                 for name, (chain, does) in below.items()}
        for name, size in sizes.items():
            self.frames[name] += size

    def between(self, first, last):
        """Bytes of the deepest path from one function to another."""
        calls, reaching, found = self.calls, set(), {last}
        while found:
            reaching |= found
            found = {name for name, callees in calls.items() if callees & found} - reaching
        self.calls = {name: calls[name] & reaching for name in reaching - {last} if name in calls}
        size = self.worst(first)[0]
        self.calls = calls
        return size

    @staticmethod
    def plain_name(name, library):
        """As a row has it: without the library, if it is the caller's own."""
        owner, _, function = name.partition("@")[0].rpartition(":")
        return function if owner == library else name.partition("@")[0]

    def nobody_calls(self):
        called = set().union(*self.calls.values())
        return sorted(name for name in self.given - called - NEVER.keys()
                      if not NOT_CALLED.fullmatch(name))
