//! WAV in and out.

use crate::error::SpeechError;
use cp_vocab::media::Samples;
use std::io::Cursor;
use std::sync::Arc;

/// Prompts longer than this are refused: an hour of 16 kHz is 115 MB.
const SECONDS_MAX: u32 = 900;

/// Reads any PCM or float WAV as 16-bit mono at its own rate. A header whose lengths are not known
/// (written to a pipe) counts as "to the end".
pub fn read_wav(mut bytes: Vec<u8>) -> Result<Samples, SpeechError> {
    mend_lengths(&mut bytes);
    let mut reader = hound::WavReader::new(Cursor::new(bytes)).map_err(SpeechError::Wav)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels.max(1));
    if reader.duration() / spec.sample_rate.max(1) >= SECONDS_MAX {
        return Err(SpeechError::TooLongSound {
            seconds_max: SECONDS_MAX,
        });
    }
    let all: Vec<i32> = match spec.sample_format {
        hound::SampleFormat::Int => {
            let shift = i32::from(spec.bits_per_sample) - 16;
            let to_16 = |s: i32| if shift >= 0 { s >> shift } else { s << -shift };
            let samples = reader.samples::<i32>().map(|s| s.map(to_16));
            samples.collect::<Result<_, _>>()
        }
        hound::SampleFormat::Float => {
            let to_16 = |s: f32| (s.clamp(-1.0, 1.0) * 32_767.0) as i32;
            let samples = reader.samples::<f32>().map(|s| s.map(to_16));
            samples.collect::<Result<_, _>>()
        }
    }
    .map_err(SpeechError::Wav)?;
    let data: Arc<[i16]> = all
        .chunks_exact(channels)
        .map(|frame| (frame.iter().sum::<i32>() / channels as i32) as i16)
        .collect();
    if data.is_empty() {
        return Err(SpeechError::NoSamples);
    }
    Ok(Samples {
        rate_hz: spec.sample_rate,
        data,
    })
}

/// Puts the true lengths where a stream writer could not: RIFF size and the data chunk's size,
/// the latter cut to whole frames.
fn mend_lengths(bytes: &mut [u8]) {
    let total = bytes.len();
    let size_at = |bytes: &[u8], at: usize| {
        bytes
            .get(at..at + 4)
            .and_then(|b| b.try_into().ok())
            .map(u32::from_le_bytes)
    };
    let mut at = 12;
    let mut frame = 1_usize;
    while let (Some(id), Some(size)) = (
        bytes.get(at..at + 4).map(<[u8]>::to_vec),
        size_at(bytes, at + 4),
    ) {
        let size = size as usize;
        if id == b"fmt " {
            let align = bytes.get(at + 20..at + 22);
            frame = align.map_or(1, |b| usize::from(u16::from_le_bytes([b[0], b[1]])).max(1));
        }
        if id == b"data" {
            let there = total - (at + 8);
            if size > there {
                let whole = (there - there % frame) as u32;
                bytes[at + 4..at + 8].copy_from_slice(&whole.to_le_bytes());
                let riff = (at + 8) as u32 + whole - 8;
                bytes[4..8].copy_from_slice(&riff.to_le_bytes());
            }
            return;
        }
        at += 8 + size + size % 2;
    }
}

/// Writes 16-bit mono.
pub fn write_wav(samples: &Samples) -> Result<Vec<u8>, SpeechError> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: samples.rate_hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::with_capacity(44 + 2 * samples.data.len()));
    let mut writer = hound::WavWriter::new(&mut bytes, spec).map_err(SpeechError::Wav)?;
    for sample in samples.data.iter() {
        writer.write_sample(*sample).map_err(SpeechError::Wav)?;
    }
    writer.finalize().map_err(SpeechError::Wav)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Samples {
        Samples {
            rate_hz: 22_050,
            data: (0..1_000)
                .map(|i| (i * 31 % 4_001 - 2_000) as i16)
                .collect(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = write_wav(&some()).unwrap();
        assert_eq!(read_wav(bytes).unwrap(), some());
    }

    #[test]
    fn unknown_and_cut_lengths_are_mended() {
        let whole = write_wav(&some()).unwrap();
        let mut streamed = whole.clone();
        streamed[4..8].copy_from_slice(&0x7fff_f024_u32.to_le_bytes());
        streamed[40..44].copy_from_slice(&0x7fff_f000_u32.to_le_bytes());
        assert_eq!(read_wav(streamed).unwrap(), some());
        let cut = whole[..whole.len() - 501].to_vec();
        assert_eq!(read_wav(cut).unwrap().data[..], some().data[..749]);
    }

    #[test]
    fn other_widths_and_channels_become_16_bit_mono() {
        for (bits, format) in [
            (8, hound::SampleFormat::Int),
            (24, hound::SampleFormat::Int),
            (32, hound::SampleFormat::Float),
        ] {
            let spec = hound::WavSpec {
                channels: 2,
                sample_rate: 16_000,
                bits_per_sample: bits,
                sample_format: format,
            };
            let mut bytes = Cursor::new(vec![]);
            let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
            for _ in 0..100 {
                for side in [0.5_f32, 0.25] {
                    match format {
                        hound::SampleFormat::Float => writer.write_sample(side).unwrap(),
                        hound::SampleFormat::Int => {
                            let full = (1_i64 << (bits - 1)) as f32;
                            writer.write_sample((side * full) as i32).unwrap();
                        }
                    }
                }
            }
            writer.finalize().unwrap();
            let read = read_wav(bytes.into_inner()).unwrap();
            assert_eq!((read.rate_hz, read.data.len()), (16_000, 100));
            let want = 0.375 * 32_768.0;
            assert!(
                (f32::from(read.data[7]) - want).abs() < 300.0,
                "{bits} bits"
            );
        }
    }

    #[test]
    fn rubbish_is_an_error() {
        for bytes in [
            vec![],
            b"RIFF".to_vec(),
            vec![0xff; 4_000],
            b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff".to_vec(),
            write_wav(&Samples {
                rate_hz: 8_000,
                data: Arc::new([]),
            })
            .unwrap(),
        ] {
            assert!(read_wav(bytes).is_err());
        }
    }
}
