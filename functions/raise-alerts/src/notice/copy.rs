//! The text about a copy in another registry that keeps the quarantine tag.

use domain::image::ImageId;
use domain::quarantine::{give_back_command, released_tag, tag};

use super::about_image;

pub(super) fn text(image: &ImageId, copy: &ImageId) -> String {
    let ImageId { account, region, repository, .. } = copy;
    let mark = tag(image);
    format!(
        "An image is released from quarantine, and ECR replicates its repository to {region} in the account {account}.\n\n\
         {}\
         Copy     {}\n\
         Why      ECR copies a tag when it is put on, and nothing when it is taken off\n\
         Status   the quarantine tag {mark} goes here; a copy that has it keeps it, unless ecr-warden runs there, too\n\
         To do    if it does not run there, take the tag off the copy. ECR deletes an image with its last tag, so the first \
         command puts another one on; run the second if the first works or says that the tag exists\n\
         \x20        {}\n\
         \x20        aws ecr batch-delete-image --registry-id {account} --region {region} --repository-name {repository} \
         --image-ids imageTag={mark}\n\
         More     this is said once for the repository and this destination; every image that is released needs the same\n",
        about_image(image),
        copy.uri(),
        give_back_command(copy, &released_tag(image)),
    )
}
