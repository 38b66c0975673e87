//! Products by tiles of 16 rows, on processors that have registers for them (AMX): an instruction multiplies sixteen
//! times what one of AVX-512 does.
//!
//! The instructions are written out, for the language has no stable names for them yet. Panels lie as those for AVX-512
//! do: a tile of a panel is 16 steps, 128 bytes apart, of 16 columns, each of four bytes or of a pair.

use std::arch::asm;
use std::arch::x86_64::*;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::codes::GROUP;
use super::dot::{self, DotTile};
use super::half::{self, HalfTile, Pair};
use super::ready::{Around, Ready};
use super::tile;

/// For codes.
pub const BYTES: DotTile = DotTile {
    width: WIDTH,
    rows: 16 * TILES,
    together: 16,
    dot: bytes,
    around: AROUND,
};

/// For pairs.
pub const HALVES: HalfTile = HalfTile {
    width: WIDTH,
    rows: 16,
    deep: 16,
    multiply: halves,
    around: AROUND,
};

const AROUND: Option<Around> = Some(Around {
    before: configure,
    after: release,
});

const WIDTH: usize = dot::x86::AVX512.width;
/// Tiles of rows that share what is looked up for a panel.
const TILES: usize = 3;
/// Bytes of a step of a panel; the second half of the columns begins in the middle of it.
const STEP: usize = 4 * WIDTH;
/// Bytes of the steps that an instruction takes.
const STEPS: usize = 16 * STEP;

/// Whether this processor has the registers, with instructions for bytes and for pairs, and the system lets this
/// process use them.
pub fn is_there() -> bool {
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    *IS_THERE.get_or_init(|| {
        let vectors = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vnni")
            && is_x86_feature_detected!("avx512bf16");
        // Bits of the leaf of extended features: pairs, the registers, bytes.
        const NEEDED: u32 = 1 << 22 | 1 << 24 | 1 << 25;
        vectors && __cpuid_count(7, 0).edx & NEEDED == NEEDED && ask()
    })
}

/// Asks the system for the registers, for all threads of the process.
#[cfg(target_os = "linux")]
fn ask() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_int = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: the call takes two numbers and touches no memory of ours.
    unsafe {
        libc::syscall(
            libc::SYS_arch_prctl,
            ARCH_REQ_XCOMP_PERM,
            XFEATURE_XTILEDATA,
        ) == 0
    }
}

#[cfg(not(target_os = "linux"))]
fn ask() -> bool {
    false
}

/// What `ldtilecfg` reads: the shape of each register.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static SHAPES: Shapes = Shapes {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Gives the registers their shape. This takes as long as a product of some rows, and is done once for many.
fn configure() {
    // SAFETY: a tile is only handed out where the processor has the registers; the shapes are valid.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &SHAPES, options(nostack, readonly)) };
}

/// Gives them back: a thread without them is changed for another sooner.
fn release() {
    // SAFETY: a tile is only handed out where the processor has the registers.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// Room for some tiles of rows.
#[repr(align(64))]
struct Room<T, const SIZE: usize>([MaybeUninit<T>; SIZE]);

impl<T: Copy, const SIZE: usize> Room<T, SIZE> {
    fn new() -> Room<T, SIZE> {
        Room([MaybeUninit::uninit(); SIZE])
    }

    fn start(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}

/// Defines a function that writes the products of 16 rows with a panel to rows of 32 numbers.
macro_rules! multiply {
    ($name:ident, $instruction:literal) => {
        /// # Safety
        /// The thread is ready. The panel is a multiple of 16 steps, and not none. From `a` on there are 16 rows, as
        /// deep as the panel, and from `out` on 16 rows of 32 numbers; both so many bytes apart.
        unsafe fn $name<T>(a: (*const u8, usize), panel: &[T], out: (*mut u8, usize)) {
            // SAFETY: as the caller promises.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "2:",
                    "tileloadd tmm2, [{a} + {a_stride}]",
                    "tileloadd tmm3, [{panel} + {step}]",
                    "tileloadd tmm4, [{panel} + {step} + 64]",
                    concat!($instruction, " tmm0, tmm2, tmm3"),
                    concat!($instruction, " tmm1, tmm2, tmm4"),
                    "add {a}, 64",
                    "add {panel}, 2048",
                    "sub {times}, 1",
                    "jnz 2b",
                    "tilestored [{out} + {out_stride}], tmm0",
                    "tilestored [{out} + {out_stride} + 64], tmm1",
                    a = inout(reg) a.0 => _,
                    a_stride = in(reg) a.1,
                    panel = inout(reg) panel.as_ptr() => _,
                    step = in(reg) STEP,
                    times = inout(reg) size_of_val(panel) / STEPS => _,
                    out = in(reg) out.0,
                    out_stride = in(reg) out.1,
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _,
                    options(nostack),
                );
            }
        }
    };
}

multiply!(multiply_bytes, "tdpbusd");
multiply!(multiply_halves, "tdpbf16ps");

/// Copies some rows of `bytes` bytes, `stride` apart, to rows as long.
///
/// # Safety
/// The rows are there, and room for them.
unsafe fn copy(
    rows: usize,
    bytes: usize,
    (from, stride): (*const u8, usize),
    to: (*mut u8, usize),
) {
    for row in 0..rows {
        // SAFETY: as the caller promises.
        unsafe {
            from.add(row * stride)
                .copy_to_nonoverlapping(to.0.add(row * to.1), bytes)
        };
    }
}

fn bytes(ready: &Ready, part: &dot::Part<'_>, out: &mut [f32], stride: usize) {
    part.check(WIDTH, out, stride);
    assert!(part.rows <= 16 * TILES);
    if part.panel.is_empty() || !part.panel.len().is_multiple_of(STEPS) {
        return few_rows_of_bytes(ready, part, out, stride);
    }
    let mut sums = Room::<i32, { 16 * TILES * WIDTH }>::new();
    let mut copied = Room::<u8, { 16 * GROUP }>::new();
    let depth = part.panel.len() / WIDTH;
    // SAFETY: the processor has the instructions. Rows and panel were checked, and a panel is no deeper than a group;
    // where there are fewer than 16 rows, they are read from a copy that has room for so many.
    unsafe {
        for first in (0..part.rows).step_by(16) {
            let rows = 16.min(part.rows - first);
            let mut codes = (part.codes.as_ptr().add(first * part.stride), part.stride);
            if rows < 16 {
                copy(rows, depth, codes, (copied.start(), GROUP));
                codes = (copied.start(), GROUP);
            }
            let sums = sums.start().add(first * WIDTH);
            multiply_bytes(codes, part.panel, (sums.cast(), STEP));
        }
        finish(part, sums.start(), out, stride);
    }
}

/// Where the steps do not fill tiles.
fn few_rows_of_bytes(ready: &Ready, part: &dot::Part<'_>, out: &mut [f32], stride: usize) {
    let few = dot::x86::AVX512;
    for first in (0..part.rows).step_by(few.rows) {
        let some = dot::Part {
            codes: &part.codes[first * part.stride..],
            ranges: &part.ranges[first * part.range_stride..],
            rows: few.rows.min(part.rows - first),
            ..*part
        };
        (few.dot)(ready, &some, &mut out[first * stride..], stride);
    }
}

fn halves(ready: &Ready, part: &tile::Part<'_, Pair>, out: &mut [f32], stride: usize) {
    part.check(WIDTH, out, stride);
    assert!(part.rows <= 16);
    let depth = part.panel.len() / WIDTH;
    let whole = depth > 0 && depth.is_multiple_of(16);
    if !whole || part.rows < 16 && depth > DEEPEST {
        return few_rows_of_halves(ready, part, out, stride);
    }
    let to = (out.as_mut_ptr().cast(), 4 * stride);
    let from = (part.a.as_ptr().cast(), 4 * part.stride);
    // SAFETY: the processor has the instructions. Rows and panel were checked; where there are fewer than 16 rows, they
    // are read from a copy that has room for so many, and are written to one.
    unsafe {
        if part.rows == 16 {
            return multiply_halves(from, part.panel, to);
        }
        let mut a = Room::<u8, { 16 * 4 * DEEPEST }>::new();
        let mut products = Room::<u8, { 16 * STEP }>::new();
        copy(part.rows, 4 * depth, from, (a.start(), 4 * depth));
        multiply_halves((a.start(), 4 * depth), part.panel, (products.start(), STEP));
        copy(part.rows, STEP, (products.start(), STEP), to);
    }
}

/// Pairs of a row that there is room for.
const DEEPEST: usize = 256;

/// Where the steps do not fill tiles, or are too many.
fn few_rows_of_halves(ready: &Ready, part: &tile::Part<'_, Pair>, out: &mut [f32], stride: usize) {
    let few = half::x86::AVX512;
    for first in (0..part.rows).step_by(few.rows) {
        let some = tile::Part {
            a: &part.a[first * part.stride..],
            rows: few.rows.min(part.rows - first),
            ..*part
        };
        (few.multiply)(ready, &some, &mut out[first * stride..], stride);
    }
}

/// Makes numbers of the sums, as `rows512` does.
///
/// # Safety
/// The part was checked for `out`, and there are 32 sums for each of its rows.
#[target_feature(enable = "avx512f")]
unsafe fn finish(part: &dot::Part<'_>, sums: *const i32, out: &mut [f32], stride: usize) {
    let start = part.start.map(<[f32]>::as_ptr);
    // Where a row stands: a step from one start to the next is none.
    let (from, from_stride) = start.map_or((out.as_ptr(), stride), |start| (start, 0));
    let (to, ranges) = (out.as_mut_ptr(), part.ranges.as_ptr());
    for half in [0, WIDTH / 2] {
        // SAFETY: 32 numbers of each were checked.
        let (scales, weights) = unsafe {
            let (scales, weights) = (part.scales.as_ptr(), part.sums.as_ptr());
            (
                _mm512_loadu_ps(scales.add(half)),
                _mm512_loadu_ps(weights.add(half)),
            )
        };
        for row in 0..part.rows {
            // SAFETY: there is a range for each row, `out` has 32 numbers for each, as has a start, and so have the sums.
            unsafe {
                let range = *ranges.add(row * part.range_stride);
                let (scale, least) = (_mm512_set1_ps(range.scale), _mm512_set1_ps(range.least));
                let whole = _mm512_loadu_si512(sums.add(row * WIDTH + half).cast());
                let product = _mm512_mul_ps(_mm512_cvtepi32_ps(whole), scales);
                let before = _mm512_loadu_ps(from.add(row * from_stride + half));
                let sum = _mm512_fmadd_ps(scale, product, before);
                _mm512_storeu_ps(
                    to.add(row * stride + half),
                    _mm512_fmadd_ps(least, weights, sum),
                );
            }
        }
    }
}
