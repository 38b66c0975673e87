use super::*;

/// Sums are whole numbers that f32 holds, so that every way must give the same to the bit.
#[test]
fn every_way_adds_the_same_whole_numbers() {
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for tile in all() {
        let ready = Ready::new(tile.around);
        for steps in [4, 36, 64, GROUP] {
            let weights: Vec<i8> = (0..tile.width * steps).map(|_| random() as i8).collect();
            let stride = steps + 5;
            let codes: Vec<u8> = (0..tile.rows * stride).map(|_| random()).collect();
            let sums: Vec<f32> = (0..tile.width).map(|c| 8.0 * c as f32 - 7.0).collect();
            // The extremes, too.
            let (weights, codes) = match steps {
                36 => (vec![-128; weights.len()], vec![255; codes.len()]),
                _ => (weights, codes),
            };
            let scales: Vec<f32> = (0..tile.width).map(|c| [1.0, 0.5][c % 2]).collect();
            let starts = vec![3.0; tile.width];
            for (rows, start) in (1..=tile.rows).flat_map(|r| [(r, None), (r, Some(3.0))]) {
                let range = |row: usize| Range {
                    scale: [1.0, 2.0, 0.25][row % 3],
                    least: row as f32 - 2.0,
                };
                let ranges: Vec<Range> = (0..rows).map(range).collect();
                let (wide, mut out) = (tile.width + 3, vec![1.0; rows * (tile.width + 3)]);
                let part = Part {
                    codes: &codes,
                    stride,
                    ranges: &ranges,
                    range_stride: 1,
                    rows,
                    panel: &weights,
                    scales: &scales,
                    sums: &sums,
                    start: start.map(|_| starts.as_slice()),
                };
                (tile.dot)(&ready, &part, &mut out, wide);
                for (place, found) in out.iter().enumerate() {
                    let (row, column) = (place / wide, place % wide);
                    if column >= tile.width {
                        assert_eq!(*found, 1.0);
                        continue;
                    }
                    let mut sum = 0;
                    for step in 0..steps {
                        let at = step / 4 * 4 * tile.width + 4 * column + step % 4;
                        let code = codes[row * stride + step];
                        sum += i32::from(code) * i32::from(weights[at]);
                    }
                    let Range { scale, least } = ranges[row];
                    let product = scale * scales[column] * sum as f32;
                    let expected = start.unwrap_or(1.0) + product + least * sums[column];
                    assert_eq!(*found, expected, "{} columns, {steps} steps", tile.width);
                }
            }
        }
    }
}
