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
         Why      ECR replicates a tag that is put on, but not its removal\n\
         Status   the quarantine tag {mark} is taken off here; a copy that has it keeps it unless ecr-warden also runs there\n\
         To do    if it does not run there, take the tag off the copy. ECR deletes an image with its last tag, so the first \
         command puts another one on; run the second if the first works or says that the tag exists\n\
         \x20        {}\n\
         \x20        aws ecr batch-delete-image --registry-id {account} --region {region} --repository-name {repository} \
         --image-ids imageTag={mark}\n\
         More     this alert is sent once for the repository and this destination; every released image needs the same\n",
        about_image(image),
        copy.uri(),
        give_back_command(copy, &released_tag(image)),
    )
}
