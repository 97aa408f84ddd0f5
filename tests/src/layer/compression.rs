//! What may be done to a layer's archive before it is stored.

use std::io::Write;

use bytes::Bytes;

/// How a layer is stored; the name of its media type follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// The archive as it is.
    None,
    /// One gzip member.
    #[default]
    Gzip,
    /// Several gzip members one after another, as `pigz` or `stargz` may write them.
    GzipMembers,
    /// One zstd frame.
    Zstd,
    /// Several zstd frames with a skippable frame between them, as zstd:chunked images have.
    ZstdFrames,
}

impl Compression {
    /// Compresses `bytes`; the same bytes give the same result.
    pub fn encode(self, bytes: &[u8]) -> Bytes {
        match self {
            Self::None => Bytes::copy_from_slice(bytes),
            Self::Gzip => gzip(bytes).into(),
            Self::GzipMembers => parts(bytes).flat_map(gzip).collect::<Vec<_>>().into(),
            Self::Zstd => zstd(bytes).into(),
            Self::ZstdFrames => parts(bytes)
                .flat_map(|part| [zstd(part), skippable_frame()].concat())
                .collect::<Vec<_>>()
                .into(),
        }
    }

    /// Picks the OCI or the Docker media type of a layer.
    pub(crate) fn media_type(self, docker: bool) -> &'static str {
        match (self, docker) {
            (Self::None, false) => "application/vnd.oci.image.layer.v1.tar",
            (Self::Gzip | Self::GzipMembers, false) => {
                "application/vnd.oci.image.layer.v1.tar+gzip"
            }
            (Self::Zstd | Self::ZstdFrames, false) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Self::None, true) => "application/vnd.docker.image.rootfs.diff.tar",
            (Self::Gzip | Self::GzipMembers, true) => {
                "application/vnd.docker.image.rootfs.diff.tar.gzip"
            }
            (Self::Zstd | Self::ZstdFrames, true) => {
                "application/vnd.docker.image.rootfs.diff.tar.zstd"
            }
        }
    }
}

/// Cuts into three parts at places that are no block borders.
fn parts(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let third = bytes.len() / 3 + 1;
    bytes.chunks(third)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).expect("memory takes every byte");
    encoder.finish().expect("memory takes every byte")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("memory takes every byte")
}

fn skippable_frame() -> Vec<u8> {
    [
        &0x184D_2A50_u32.to_le_bytes()[..],
        &4_u32.to_le_bytes(),
        b"skip",
    ]
    .concat()
}
